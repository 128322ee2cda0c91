Feature: What became of a preload is what everybody sees

  Node, API, log and history tell the same of a pool, and tell it as it is: not ready before the last step of a preload
  has succeeded, and the reason where it has not.

  @B-API-010 @B-API-011 @B-API-018 @B-PRELOAD-024 @B-POOL-001
  Scenario: A pool that nobody has loaded yet, and a launch that leaves nothing to a default
    Given a fresh installation whose node has the pool "default"
    When "GET /v2/pools/default/health" is requested
    Then the answer is 200
    And the answer holds:
      | state | uninitialized |
      | live  | false         |
      | ready | false         |
    When a launch is preloaded that gives every field
    Then the preload has answered with its pool, the pid of its process and a handoff named "default-r7.json"
    And the process was started from the binary, with the flags and the environment of the launch
    And it was asked for its health where the launch says
    And the handoff and the pool tell what else the launch says

  @OC-POOL-3002 @OC-POOL-3003 @B-POOL-009 @B-PRELOAD-070 @B-WRK-015
  Scenario: A pool whose preload fails in every way, and then does not
    Given a fresh installation with the GPUs "0 without free memory"
    When the preload of an engine whose file may not be executed fails
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "EACCES"
    And nothing is left of the engine: no process, no pid file, no handoff
    And node and API show the pool as "failed", not ready, with a last error that has "permission denied"
    When the preload of an engine with "--never-ready" fails within 1500 ms
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "health check failed"
    And nothing is left of the engine: no process, no pid file, no handoff
    And node and API show the pool as "failed", not ready, with a last error that has "health check failed"
    When the preload of an engine with "--error-line cudaErrorMemoryAllocation --exit-at-start 1" fails within 60000 ms
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "out_of_memory(vram)"
    And the answer holds:
      | details.cause_code | OOM_DETECTED |
    And nothing is left of the engine: no process, no pid file, no handoff
    And node and API show the pool as "failed", not ready, with a last error that has "out_of_memory(vram)"
    When a preload of the pool "default" is tried on the devices "0"
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "has 0 (available)"
    And nothing is left of the engine: no process, no pid file, no handoff
    And node and API show the pool as "failed", not ready, with a last error that has "GPU memory"
    When a preload is tried of an engine whose cache is larger than any memory
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "of memory (required)"
    And nothing is left of the engine: no process, no pid file, no handoff
    And node and API show the pool as "failed", not ready, with a last error that has "of memory"
    And the step "preflight" of the preload was tried 3 times
    When an engine with "--log-line hello" is preloaded
    Then node and API show the pool as "ready", with no error
    And the node has logged these moves of the pool:
      | uninitialized | failed   |
      | failed        | starting |
      | starting      | failed   |
      | failed        | starting |
      | starting      | failed   |
      | failed        | failed   |
      | failed        | failed   |
      | failed        | starting |
      | starting      | ready    |
    And the time of the last one is the one that is shown
    And the history of the preload has the activities "preflight", "markPoolStarting", "spawnEngine", "awaitEngineReady", "probeEngine", "writeHandoff" and "markPoolReady"

  @B-WRK-002 @B-WPRE-003 @B-WRK-013 @B-WPRE-011 @B-RERR-001
  Scenario: A refusal tells in one word what it rests on, with its figures
    Given a fresh installation with the GPUs "0 without free memory"
    When the preload of an engine that is nowhere fails
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "ENOENT"
    And the answer holds:
      | details.cause_code       | WORKER_BINARY_NOT_FOUND                             |
      | details.binary_path      | /opt/no-such-engine                                 |
      | details.suggested_action | install the engine on the node, or name where it is |
    When a preload is tried of an engine whose cache is larger than any memory
    Then the answer holds:
      | details.cause_code | INSUFFICIENT_RAM |
      | details.multiplier | 1.5              |
    When a preload of the pool "default" is tried on the devices "0"
    Then the answer holds:
      | details.cause_code   | VRAM_EXHAUSTED |
      | details.available_mb | 0              |
      | details.device       | "0"            |
    When a preload is tried of an engine that ends at its start with code 7, for 60000 ms
    Then the answer holds:
      | details.cause_code | INIT_CRASH |
      | details.exit_code  | 7          |

  @B-API-013 @B-ERROR-001 @B-ERROR-002 @B-ERROR-003
  Scenario: A node that cannot keep its records
    Given a fresh installation whose pool is not loaded
    And the folder of the node's records cannot be used
    When the preload of an engine with "--log-line hello" fails within 60000 ms
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "the registry of this node cannot be used"
    And the node has logged that its registry cannot be used
    And no engine was started
