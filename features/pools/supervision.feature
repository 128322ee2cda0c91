Feature: A pool whose engine crashes comes up again by itself

  A durable workflow supervises each pool: it hears of the crash from the node, waits, and starts the engine again by the
  preload's own steps. An engine that crashes again and again is held, and an operator decides.

  @OC-POOL-3010 @B-SUPER-001 @B-SUPER-007 @B-SUPER-018 @B-SUPER-027
  Scenario: The engine of an idle pool is killed
    Given a fresh installation
    And the counters are read
    When the engine is killed
    Then another engine comes to serve
    And the node has logged the crash "signal(SIGKILL)", how long the engine had lived, and when it is started again
    And "engine_crash_total" has risen by 1 for:
      | reason | signal |
    And "restart_scheduled_total" has risen by 1 for:
      | crash_reason | signal |
    And "backoff_delay_ms_count" has risen by 1
    And "pool_restart_total" has risen by 1
    When the task "a" is posted
    Then "a" comes to be "completed"
    And the supervisor of the pool watches after 1 restart

  @OC-POOL-3011 @B-SUPER-020 @B-SUPER-042 @B-SUPER-047 @B-OBS-060
  Scenario: An engine that crashes again and again is held, until an operator has mended it
    Given a fresh installation that holds a pool after 3 crashes
    And the counters are read
    When the engine is killed 3 times, each time when it serves
    Then the pool comes to be "failed", and its last error has "the circuit is open until"
    And "circuit_breaker_open_total" has risen by 1
    And "pool_restart_total" has risen by 2
    And the general circuit is shown as 1
    And the node has raised the alert "circuit_open" and logged the way from "closed" to "open" after 3 failures
    When a task "a" is posted that is pinned to the pool "default"
    Then it is refused with 503 "POOL_UNAVAILABLE", retriable, and a message
    When an operator resets the circuit
    Then the answer is 200
    And another engine comes to serve
    And the general circuit is shown as 0
    When the task "b" is posted
    Then "b" comes to be "completed"

  @B-SUPER-044 @B-CP-073
  Scenario: Who resets a circuit is logged
    When an operator resets the circuit
    Then the answer holds:
      | pool_id                | default |
      | circuits.general.state | closed  |
    And the API has logged the reset, with the operator's key and the time

  @B-SUPER-028 @slow
  Scenario: Every process is killed while the restart waits
    Given a fresh installation that waits 4000 ms before a restart
    When the engine is killed
    And the node has planned the restart
    And API, control worker and node worker are killed and started again
    Then another engine comes to serve
    When the task "a" is posted
    Then "a" comes to be "completed"
