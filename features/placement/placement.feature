Feature: Where a task goes

  Two nodes serve the same model: the near one with the pool "default", which has one slot, the far one with the pool "far",
  which has four. A task says what it wants, or leaves it to Drover; it is never silently put where it did not want to be.

  @B-PL-002 @B-PL-014 @B-BG-021
  Scenario: Without a wish, where most slots are free
    Given two nodes, of which the far one has the larger pool
    When the task "a" is posted
    Then "a" is on the far node

  @B-PL-005 @B-DP-114
  Scenario: A pinned pool, though another is freer
    Given two nodes, of which the far one has the larger pool
    When the task "a" is posted with placement: {"mode":"pin","pin_pool_id":"default"}
    Then "a" is on the near node

  @B-PL-009 @B-PL-012
  Scenario Outline: A wish that can be granted: <wish>
    Given two nodes, of which the far one has the larger pool
    When the task "a" is posted with placement: <placement>
    Then "a" is on the near node

    Examples:
      | wish          | placement                                                            |
      | one preferred | {"mode":"prefer","prefer_pools":["default"],"allow_fallback":false}  |
      | one avoided   | {"mode":"auto","avoid_pools":["far"]}                                |

  @B-PL-010 @B-PL-011
  Scenario: Nothing that it prefers is there
    Given two nodes, of which the far one has the larger pool
    When the task "a" is posted with placement: {"mode":"prefer","prefer_pools":["gone"],"allow_fallback":true}
    Then "a" is on the far node
    When the task "b" is posted with placement: {"mode":"prefer","prefer_pools":["gone"],"allow_fallback":false}
    Then it is refused with 503 "POOL_UNREADY", retriable, and a message

  @B-PL-006 @B-PL-012
  Scenario Outline: What cannot be had is refused, and nothing else is taken: <wish>
    Given two nodes, of which the far one has the larger pool
    When the task "a" is posted with placement: <placement>
    Then it is refused with <status> "<code>", <retriable>, and a message

    Examples:
      | wish            | placement                                       | status | code           | retriable     |
      | an unknown pin  | {"mode":"pin","pin_pool_id":"gone"}             | 400    | INVALID_PARAMS | not retriable |
      | nothing is left | {"mode":"auto","avoid_pools":["far","default"]} | 503    | POOL_UNREADY   | retriable     |

  @B-PL-016
  Scenario: A session goes back to the engine that has its context
    Given two nodes, of which the far one has the larger pool
    And a task "a" of the session "s" has completed on the pool "default"
    When a task "b" of the session "s" is posted
    Then "b" is on the near node

  @B-PL-007
  Scenario: A pinned pool that takes no tasks is not replaced by another
    Given two nodes of its own, of which the far one has the larger pool
    When the pool "far" has been drained
    And the task "a" is posted with placement: {"mode":"pin","pin_pool_id":"far"}
    Then it is refused with 503 "POOL_UNREADY", retriable, and a message
    When the task "b" is posted
    Then "b" is on the near node

  @B-DRAIN-015
  Scenario: What waits in a pool that is drained waits elsewhere, where it may
    Given two nodes of its own, of which the far one has the larger pool
    And the pool "default" is busy with the endless task "busy"
    And the task "free" is posted with placement: {"mode":"prefer","prefer_pools":["default"],"allow_fallback":true}
    And the task "pinned" is posted with placement: {"mode":"pin","pin_pool_id":"default"}
    And "free" and "pinned" wait on the near node
    When the pool "default" is drained with a deadline of 60000 ms
    Then "free" comes to be "completed"
    And "free" is on the far node
    And the history of "free" tells where it went
    When "busy" is cancelled
    Then "pinned" waits on, and was never started

  @B-FLOW-003 @B-FLOW-004
  Scenario: Ten clients at once, three engines on two nodes
    Given two nodes of its own, of which the far one has the larger pool
    And the pool "third" serves the same model with one slot
    When ten clients post a task of 30 tokens each at the same moment
    Then some of them have had to wait
    And each of the ten has got each of its 30 tokens once
    And the pools "default", "third" and "far" have each run some of them, all ten together

  @B-PL-018
  Scenario: A node that is away is no candidate
    Given two nodes of its own, of which the far one has the larger pool
    When the far node ends
    And the task "a" is posted
    Then "a" is on the near node
    When the task "b" is posted with placement: {"mode":"pin","pin_pool_id":"far"}
    Then it is refused with 503 "POOL_UNAVAILABLE", retriable, and a message

  @B-PL-004 @B-CFG-014
  Scenario: Each in turn, where the operator wants it so
    Given two nodes of its own, of which the far one has the larger pool
    And an API that places tasks by "round-robin" and logs every decision
    When the tasks "a", "b", "c" and "d" are posted one after the other
    Then two of "a", "b", "c" and "d" are on each node

  @B-PL-015
  Scenario: A decision is logged with what it weighed
    Given two nodes of its own, of which the far one has the larger pool
    And an API that places tasks by "least-loaded" and logs every decision
    When the task "a" is posted
    Then the API has logged where "a" went, out of 2, and what broke the tie
