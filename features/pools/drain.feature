Feature: An operator takes a pool out of service

  A drain is a workflow: no new work, a deadline for the tasks that run, then the engine is stopped and nothing of it is
  left. Until the engine is being stopped it can be called off.

  Rule: A drain cuts no stream before its deadline

    @B-DRAIN-001 @B-DRAIN-003 @B-DRAIN-004 @B-DRAIN-006 @B-CP-021
    Scenario: A task that runs comes to its own end
      Given a fresh installation with a slow engine
      And a task "a" of 200 tokens is posted
      And a reader opens the stream of "a"
      And the reader of "a" gets 20 tokens
      When the pool is drained with a deadline of 60000 ms
      Then the answer is 202
      And the pool comes to be "draining", live, not ready, with 1 lease
      And the reader of "a" has got each of the 200 tokens once
      And the pool comes to be "offline"
      And the engine is gone: no process, no pid file, no handoff

    @B-DRAIN-002 @B-CP-023 @B-CP-024 @B-DP-052 @B-DRAIN-010
    Scenario: A pool that drains takes nothing new
      Given a fresh installation whose engine has one slot, busy with the endless task "busy"
      And the task "waits" is posted
      When the pool is drained with a deadline of 60000 ms
      And the pool comes to be "draining", live, not ready, with 1 lease
      And the task "late" is posted
      Then it is refused with 503 "POOL_UNREADY", retriable, and the message "draining"
      And the node has warned that 1 task runs in the pool that is drained
      When "busy" is cancelled
      Then the pool comes to be "offline"
      And "waits" was never started

    @B-DRAIN-005 @B-DRAIN-011 @B-DRAIN-009 @B-CP-027
    Scenario: With the deadline 0 what runs is broken off at once
      Given a fresh installation whose engine has one slot, busy with the endless task "busy"
      And the counters are read
      And a reader opens the stream of "busy"
      When the pool is drained with a deadline of 0 ms, and its end is waited for
      Then the answer is 200
      And the answer holds:
        | pool_id           | default |
        | force_stopped     | true    |
        | final_lease_count | 1       |
      And the stream of "busy" ends with the error "WORKER_RESET", retriable, and nothing after it
      And the pool is "offline", and the engine is gone: no process, no pid file, no handoff
      And "pool_drain_force_stop_total" has risen by 1 for:
        | pool_id | default |
      And "pool_drain_total" has risen by 1 for:
        | outcome | forced |
      And "drain_events_total" has risen by 1 for:
        | reason | operator |
      And "drain_duration_ms_count" has risen by 1 for:
        | pool_id | default |

    @B-CP-026
    Scenario: Of two deadlines the earlier one counts
      Given a fresh installation whose engine has one slot, busy with the endless task "busy"
      When the pool is drained with a deadline of 600000 ms
      And the history of "pool:default:drain" comes to the activity "awaitLeases"
      And the pool is drained with a deadline of 0 ms, and its end is waited for
      Then the answer is 200
      And the history of "pool:default:drain" has the activities "markPoolDraining", "awaitLeases", "endLeases", "stopEngine" and "markPoolOffline"

  Rule: A drain ends as it was meant to, whoever dies or thinks better of it

    @B-DRAIN-012
    Scenario: The node worker is killed in the middle
      Given a fresh installation with a slow engine
      And a task "a" of 200 tokens is posted
      And a reader opens the stream of "a"
      And the reader of "a" gets 20 tokens
      When the pool is drained with a deadline of 120000 ms
      And the pool comes to be "draining", live, not ready, with 1 lease
      And the node worker is killed and started again
      Then the pool is "draining", live, not ready, with 1 lease
      And the reader of "a" has got each of the 200 tokens once
      And the pool comes to be "offline"

    @B-DRAIN-013
    Scenario: A drain is called off
      Given a fresh installation whose engine has one slot, busy with the endless task "busy"
      When the pool is drained with a deadline of 600000 ms
      And the pool comes to be "draining", live, not ready, with 1 lease
      And an operator cancels the workflow "pool:default:drain"
      Then the pool comes to be "ready"
      When "busy" is cancelled
      And the task "next" is posted
      Then "next" comes to be "completed"

    @B-DRAIN-008 @B-DRAIN-007 @B-DRAIN-016
    Scenario: An idle pool is drained at once, and preloaded again
      Given a fresh installation
      When the pool is drained with a deadline of 600000 ms, and its end is waited for
      Then the answer is 200
      And the answer holds:
        | force_stopped     | false |
        | final_lease_count | 0     |
      And the pool is "offline", and the engine is gone: no process, no pid file, no handoff
      When the pool is preloaded
      Then the pool comes to be "ready"
      When the task "a" is posted
      Then "a" comes to be "completed"

  Rule: A drain that cannot be is refused

    @B-CP-025
    Scenario: A pool that there is not
      When the pool "no-such-pool" is drained with a deadline of 0 ms
      Then it is refused with 404 "POOL_NOT_FOUND", not retriable, and a message

    @B-CP-020
    Scenario: A drain without a deadline
      When "POST /v2/pools/default/drain" is requested
      Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
      And the refusal names the fields "deadline_ms"
