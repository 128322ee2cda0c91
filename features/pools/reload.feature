Feature: An operator exchanges the model of a pool

  A reload starts the new engine beside the old one, gives it the new tasks in one step, and lets the old one end its
  streams. Whatever fails leaves the old model serving.

  @B-CP-033 @B-CP-034 @B-RELOAD-003 @B-RELOAD-008 @B-RELOAD-012
  Scenario: No stream notices the reload
    Given a fresh installation with a slow engine
    And the counters are read
    And a task "a" of 600 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When the pool is reloaded with the model "demo" as the version "second", without waiting
    Then the answer is 202
    When the pool comes to serve the version "second"
    Then "a" comes to be "executing"
    When the task "b" is posted
    Then "b" comes to be "completed"
    And the reader of "a" has got each of the 600 tokens once
    And it has got the text of an undisturbed run
    And the reload comes to an end, and only the second engine is left
    And "reload_success_total" has risen by 1 for:
      | pool_id | default |

  @B-CP-034 @slow
  Scenario: 32 readers across a reload
    Given a fresh installation whose engine has 32 slots
    And 32 tasks of 1500 tokens are posted, each with a reader that gets 20 tokens
    When the pool is reloaded with the model "demo" as the version "second", without waiting
    Then the answer is 202
    When the pool comes to serve the version "second"
    Then some of the 32 tasks still run
    And each of the 32 readers gets 1500 tokens, and what the run log of its task holds, byte for byte
    And the reload comes to an end, and only the second engine is left

  @B-CP-031 @B-CP-035 @B-RELOAD-011 @B-RELOAD-013
  Scenario: A new engine that never becomes healthy
    Given a fresh installation
    And the counters are read
    When the pool is reloaded with an engine that never becomes healthy, for 1500 ms
    Then it is refused with 409 "RELOAD_FAILED", not retriable, and the message "health check failed"
    And the pool is ready with the first engine, and only that is left
    And "reload_failure_total" has risen by 1 for:
      | reason | HealthTimeout |
    When the task "a" is posted
    Then "a" comes to be "completed"

  @B-CP-031 @B-RELOAD-016
  Scenario: A model that is not there
    When the pool is reloaded with the model reference "file:/no/such/model.gguf"
    Then it is refused with 409 "RELOAD_FAILED", not retriable, and the message "/no/such/model.gguf"
    When "GET /v2/pools/default/health" is requested
    Then the answer holds:
      | state      | ready |
      | last_error | null  |

  @B-RELOAD-001 @B-RELOAD-007
  Scenario: In place, the old engine is really started again
    Given a fresh installation
    When the pool is reloaded in place with an engine that never becomes healthy, for 1500 ms
    Then it is refused with 409 "RELOAD_FAILED", not retriable, and the message "health check failed"
    And the pool is ready with the first version, on another process
    When the task "a" is posted
    Then "a" comes to be "completed"

  @B-CP-030
  Scenario: A reload without a model
    When "POST /v2/pools/default/reload" is requested
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the refusal names the fields "new_model_ref"

  @B-CP-036
  Scenario: A pool that there is not
    When the pool "no-such-pool" is reloaded with the model reference "file:/m.gguf"
    Then it is refused with 404 "POOL_NOT_FOUND", not retriable, and a message

  @B-RELOAD-019
  Scenario: The node worker is killed while the new engine loads
    Given a fresh installation
    When the pool is reloaded with an engine that becomes healthy after 3000 ms, without waiting
    And the history of "pool:default:reload" comes to the activity "awaitEngineReady"
    And the node worker is killed and started again
    Then the reload comes to an end, and only the second engine is left
    When the task "a" is posted
    Then "a" comes to be "completed"

  @B-RELOAD-019
  Scenario: The node worker is killed while the old engine ends its streams
    Given a fresh installation with a slow engine
    And a task "a" of 600 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When the pool is reloaded with the same model as the version "second", without waiting
    And the pool comes to serve the version "second"
    And the node worker is killed and started again
    Then the stream of "a" ends with "end"
    And the reader of "a" has got each of the 600 tokens once
    And it has got the text of an undisturbed run
    And the reload comes to an end, and only the second engine is left
