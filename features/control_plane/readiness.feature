Feature: Up is not ready

  `/healthz` says that the process is up. `/readyz` says that a task posted now could run: Temporal is reached and the pool
  `default` is ready; else it says what is missing.

  @B-ERR-019
  Scenario: An installation whose pool is not loaded
    Given a fresh installation whose pool is not loaded
    When "GET /healthz" is requested without a key
    Then the answer is 200
    When "GET /readyz" is requested without a key
    Then it is refused with 503 "POOL_UNREADY", retriable, and the message "pool \"default\""
    And the answer has the headers:
      | Retry-After | 1 |
    When the task "early" is posted with model_ref: "default"
    Then it is refused with 503 "POOL_UNREADY", retriable, and a message
    When the pool is preloaded
    Then "GET /readyz" comes to answer 200
    When the task "a" about the "sea" is posted
    Then "a" comes to be "completed"

  Scenario: An installation whose Temporal is away
    Given a fresh installation whose Temporal can be stopped
    When Temporal is stopped
    Then "GET /readyz" comes to answer 503
    And the refusal names the fields "temporal"
    When the task "a" is posted
    Then it is refused with 503 "TEMPORAL_UNAVAILABLE", retriable, and a message
    When "GET /healthz" is requested without a key
    Then the answer is 200
