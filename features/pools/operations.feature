Feature: Whoever watches a pool sees what is done to it

  `GET /v2/pools/{id}/events` tells each step of a preload, drain or reload as it begins, its end, and how the pool stands;
  `GET /v2/operations/{id}` tells the same of one operation.

  @B-RELOAD-020 @B-CP-071 @B-CP-070
  Scenario: A reload is watched from step to step
    Given a fresh installation
    And an operator watches the pool
    When the pool is reloaded with the model "demo" as the version "second", without waiting
    Then the answer is 202
    And the operator sees the reload begin "plan", "stage", "start_new", "health", "publish", "drain" and "stop_old"
    And the operator sees the reload end as "completed", and then the pool with the version "second"
    When the address of the answer is requested
    Then the answer holds:
      | operation_id | pool:default:reload |
      | kind         | reload              |
      | status       | completed           |
      | step         | stop_old            |
      | error        | null                |
    And each of its steps tells when it began and how long it took
    When the operator comes back with the event of the step "health"
    Then the operator sees only what came after it

  @B-RELOAD-020
  Scenario: A reload that goes back says so
    Given a fresh installation
    And an operator watches the pool
    When the pool is reloaded in place with an engine that never becomes healthy, for 1500 ms
    Then it is refused with 409 "RELOAD_FAILED", not retriable, and the message "health check failed"
    And the operator sees the reload begin "plan", "stage", "drain", "stop_old", "start_new", "health" and "rollback"
    And the operator sees the reload end as "failed", and then the pool with the first version
    When "GET /v2/operations/pool:default:reload" is requested
    Then the answer holds:
      | status  | failed |
      | outcome | null   |
    And the operation's error is "RELOAD_FAILED" with the message "health check failed"

  @B-CP-071
  Scenario: An operation that there never was
    When "GET /v2/operations/pool:default:nonsense" is requested
    Then it is refused with 404 "OPERATION_NOT_FOUND", not retriable, and a message
