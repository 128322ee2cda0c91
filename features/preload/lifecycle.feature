Feature: An engine is announced when it is ready, and gone when it is not

  A preload starts the engine once, asks for its health until it has it, asks for one token, and only then tells others.
  Whatever the engine does meanwhile, it ends up ready or gone. The engine of these scenarios is a real process with bad
  manners.

  Rule: Nobody is told of an engine that is not ready

    @B-PRELOAD-020 @B-PRELOAD-022 @B-PRELOAD-023 @OC-POOL-3001 @B-POOL-003 @slow
    Scenario: An engine that warms up for 5 s
      Given a fresh installation whose pool is not loaded
      When the preload of an engine is begun that is healthy after 5000 ms
      Then until the engine is healthy the pool is "starting", not ready, and has no handoff
      And the pool comes to be ready with the version "fake-test" and a handoff

    @B-PRELOAD-004 @B-PRELOAD-010 @B-PRELOAD-011 @B-PRELOAD-012 @B-PRELOAD-014
    Scenario: How an engine is asked for its health
      Given a fresh installation whose pool is not loaded
      When an engine is preloaded that looks for its PID file at the first poll, resets 2 polls and answers in HTTP/1.0
      Then its PID file was there
      And it was asked at "/health" 3 times or more, at least 500 ms apart
      And the pool comes to be ready with the version "fake-test" and a handoff
      And the history of the preload has the activities "preflight", "markPoolStarting", "spawnEngine", "awaitEngineReady", "probeEngine", "writeHandoff" and "markPoolReady"

  Rule: Everything about an engine is in the state folder

    @B-PRELOAD-003 @B-PRELOAD-007 @B-PRELOAD-008 @B-PRELOAD-046 @B-PROC-006
    Scenario: Both outputs are appended to the engine's log, and a missing folder is made for the handoff
      Given a fresh installation whose pool is not loaded
      And the folder of the handoffs is missing
      And the log of the engine holds "of an earlier engine"
      When an engine with "--log-line from-stdout --error-line from-stderr" is preloaded
      Then the log of the engine holds these lines:
        | of an earlier engine |
        | from-stdout          |
        | from-stderr          |
      And the folder of the handoffs holds "default-r0.json" alone

    @B-PREFLIGHT-023
    Scenario: The port that an engine wants is taken
      Given a fresh installation whose pool is not loaded
      When an engine is preloaded whose port somebody else has
      Then it was told another port, which is the one of its handoff

  Rule: An engine that does not become ready is gone

    @B-PRELOAD-030 @B-PRELOAD-031 @B-PROC-013 @B-PROC-018 @B-PROC-019
    Scenario: An engine that ignores SIGTERM and has a child that does too
      Given an installation whose pool is not loaded
      When the preload of an engine with "--never-ready --ignore-sigterm --fork-child" fails within 1500 ms
      Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "health check failed"
      And nothing is left of the engine: no process, no pid file, no handoff
      And the node has logged that the engine was killed, and why

    @B-PRELOAD-032 @B-PRELOAD-034 @B-ERROR-022
    Scenario: An engine whose health lies
      Given an installation whose pool is not loaded
      When the preload of an engine with "--lie-healthy" fails within 60000 ms
      Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "health check failed"
      And nothing is left of the engine: no process, no pid file, no handoff
      And the pool is "failed", not ready, and its last error has "generates no token"

    @B-PRELOAD-036 @B-ERROR-012
    Scenario: A program that cannot be started
      Given an installation whose pool is not loaded
      When the preload of an engine whose file may not be executed fails
      Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "preload failed"
      And the pool is "failed", not ready, and its last error has "permission denied"
      And nothing is left of the engine: no process, no pid file, no handoff

    @B-PRELOAD-035 @B-PRELOAD-037
    Scenario: A pool that nobody could find
      Given a fresh installation whose pool is not loaded
      And a file is where the folder of the handoffs belongs
      When the preload of an engine with "--log-line hello" fails within 60000 ms
      Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "cannot be written"
      And the last activities in the history of the preload are "writeHandoff", "removeHandoff", "stopEngine" and "markPoolFailed"
      And nothing is left of the engine: no process, no pid file, no handoff

  Rule: A preload ends as it was meant to, whoever dies or thinks better of it

    @B-PRELOAD-071 @B-API-027
    Scenario: An operator cancels a preload
      Given an installation whose pool is not loaded
      And the preload of an engine with "--never-ready" has been begun and polls
      Then the node answers for itself and for its pools meanwhile
      When an operator cancels the preload
      Then the preload comes to be "CANCELLED"
      And nothing is left of the engine: no process, no pid file, no handoff
      And the pool is "failed", not ready, and its last error has "preload cancelled"

    @B-PRELOAD-072 @B-PRELOAD-073
    Scenario: The node worker is killed while the engine loads
      Given a fresh installation whose pool is not loaded
      And the preload of an engine with "--ready-after-ms 3000" has been begun and polls
      When the node worker is killed, and started again when the engine is healthy
      Then the pool comes to be ready with the version "fake-test" and a handoff
      And it is the engine that was started first, and the only one
