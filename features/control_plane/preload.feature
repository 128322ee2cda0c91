Feature: An operator loads a pool

  A preload is a workflow: look, start, wait for health, ask for one token, write the handoff, give the pool work. It ends
  with an engine that has proven itself, or with nothing left behind and the reason on record.

  Rule: What is shown of a pool is what it is

    @B-CP-010 @B-CP-011 @B-CP-014 @B-CP-015 @B-PRELOAD-021
    Scenario: The health of a loaded pool
      When "GET /v2/pools/default/health" is requested
      Then the answer is 200
      And the answer holds:
        | pool_id             | default  |
        | state               | ready    |
        | live                | true     |
        | ready               | true     |
        | draining            | false    |
        | last_error          | null     |
        | metrics.queue_depth | 0        |
        | engine              | llamacpp |

    @B-CP-012
    Scenario: A pool that there is not
      When "GET /v2/pools/no-such-pool/health" is requested
      Then it is refused with 404 "POOL_NOT_FOUND", not retriable, and a message

    @B-CP-016
    Scenario: A pool whose node is gone
      Given a fresh installation
      When "GET /v2/pools/default/health" is requested
      And the node worker is killed
      Then "GET /v2/pools/default/health" comes to answer with "ready" false, "live" false and a "last_error"

  Rule: A preload that succeeds leaves an engine with a handoff

    @B-PRELOAD-001 @B-PRELOAD-002 @B-PRELOAD-003 @B-PRELOAD-005 @B-PRELOAD-025
    Scenario: The engine runs as it was described
      Given a fresh installation whose pool is not loaded
      When the pool is preloaded
      Then the preload has answered with the pool, the pid of the engine and the path of its handoff
      And the engine's process was started from the binary with all flags, in order
      And its output is in "engine-default.log", its pid in "default.pid"
      And the node has logged the preload with its pid, its url and how long it took

    @B-PRELOAD-040 @B-PRELOAD-041 @B-PRELOAD-042 @B-PRELOAD-043 @B-PRELOAD-044
    Scenario: The handoff says all that others need
      Then the handoff of the shared pool is indented JSON, and holds what was prepared

  Rule: A preload that fails leaves nothing, and says why

    @B-PRELOAD-016
    Scenario: An engine that ends at once
      Given a fresh installation whose pool is not loaded
      When a preload is tried of an engine that ends at its start with code 3, for 60000 ms
      Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "code 3"
      And the answer came within 15 s
      And nothing is left of the engine: no process, no pid file, no handoff

    @B-PRELOAD-033 @B-PRELOAD-034 @B-WFH-003 @B-WFH-005
    Scenario: The history of a failed preload names every step, and what was undone
      Given a fresh installation whose pool is not loaded
      When a preload is tried of an engine that stays in loading, for 1500 ms
      Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "health check failed"
      And nothing is left of the engine: no process, no pid file, no handoff
      And the pool is "failed", not ready, and its last error has "health check failed"
      And the history of the preload has the activities "preflight", "markPoolStarting", "spawnEngine", "awaitEngineReady", "stopEngine" and "markPoolFailed"
      And it failed with the type "HealthTimeout"
