Feature: An operator removes a pool and what belongs to it

  A purge is a workflow: the pool is drained as by a drain, then what was named is deleted, and last of all the pool itself.
  What others need is kept, and the operation says so.

  @B-CP-040 @B-CP-042 @B-CP-044 @OC-POOL-3106
  Scenario: A pool that serves ends its tasks first, and then is nobody's any more
    Given a fresh installation with a slow engine
    And a task "a" of 200 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    And the engine has left a file in its working directory
    When the pool "default" is purged with its engine, its directories and no models
    Then the answer is 202
    And the pool comes to be "draining", live, not ready, with 1 lease
    And the reader of "a" has got each of the 200 tokens once
    And the operation comes to be "completed"
    And the answer holds:
      | outcome.drained              | true       |
      | outcome.deregistered         | true       |
      | outcome.cache_dirs_deleted.0 | default-r0 |
    And the engine is gone: no process, no pid file, no handoff
    And nothing is left of its working directory
    And the workflow "pool:default:supervise" has come to its end
    When "GET /v2/pools/default/health" is requested
    Then it is refused with 404 "POOL_NOT_FOUND", not retriable, and a message
    When the pool is preloaded
    And the task "b" is posted
    Then "b" comes to be "completed"

  @B-CP-041 @B-CP-043 @B-CP-070 @B-CP-071
  Scenario: A model that another pool serves is kept
    Given a fresh installation whose node has the pool "spare" too
    And the model cache has a file "tea" that says "weights"
    And the models "tea" and "demo" are saved
    When the pool "spare" is purged with its engine and the models "tea" and "demo"
    Then the answer is 202
    And the operation comes to be "completed"
    And the answer holds:
      | kind                         | purge      |
      | step                         | deregister |
      | error                        | null       |
      | outcome.models.0.outcome     | removed    |
      | outcome.models.1.outcome     | in_use     |
      | outcome.models.1.pools.0     | default    |
    And the model cache has no file "tea"
    When "GET /v2/catalog/models/tea" is requested
    Then it is refused with 404 "MODEL_NOT_FOUND", not retriable, and a message
    When "GET /v2/catalog/models/demo" is requested
    Then the answer is 200
    When "GET /v2/pools/spare/health" is requested
    Then it is refused with 404 "POOL_NOT_FOUND", not retriable, and a message
