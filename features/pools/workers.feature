Feature: Which engines there are, and what they are doing

  In the contract of nodes and workers each engine is a worker. Its state is what is seen of it: nobody sets it.

  @B-WST-007 @B-WST-003 @B-WST-009 @B-WST-010 @B-WST-012
  Scenario: An engine of one slot is busy while it runs a task, which others wait for, and idle again
    Given a fresh installation whose engine has one slot, busy with the endless task "busy"
    When "GET /v2/workers/state?expected=busy" is requested
    Then the answer is 200
    And the answer holds:
      | pool_id         | default |
      | replica_id      | r0      |
      | state           | busy    |
      | slots_total     | 1       |
      | slots_available | 0       |
    When "GET /v2/workers/idle?model_ref=demo" is requested
    Then it is refused with 503 "NO_IDLE_WORKERS", retriable, and the message "no engine is idle"
    When "GET /v2/workers/state?expected=idle" is requested
    Then it is refused with 409 "WORKER_STATE_MISMATCH", retriable, and the message "in the expected state"
    And the answer holds:
      | details.expected | idle |
      | details.actual   | busy |
    When the task "waits" is posted
    Then "waits" waits at position 0
    When "busy" is cancelled
    Then "waits" comes to be "completed"
    When "GET /v2/workers/idle?model_ref=demo&backend=cpu" is requested
    Then the answer is 200
    And the answer holds:
      | state           | idle |
      | slots_available | 1    |

  @B-WST-001 @B-WST-004 @B-WST-008 @B-WRK-010 @B-RERR-006
  Scenario Outline: Where there is no engine, each question has its own code: <code>
    Given an installation whose pool is not loaded
    When "GET /v2/workers/<question>" is requested
    Then it is refused with 503 "<code>", retriable, and the message "no engine is there"

    Examples:
      | question                                  | code                       |
      | idle?model_ref=demo                       | NO_WORKERS_IN_REGISTRY     |
      | ready                                     | NO_WORKERS_REGISTERED      |
      | state?expected=idle                       | NO_WORKERS_FOR_STATE_CHECK |
      | transition?from=idle&through=busy&to=idle | NO_WORKERS_FOR_TRANSITION  |
      | progress                                  | NO_WORKERS                 |

  @B-WRK-007 @B-WRK-009 @B-LOAD-003
  Scenario: The engine that Drover brings along calls back before its model is loaded
    Given a fresh installation whose engine has one slot
    Then its engine has called back under its own URL before it served
    And the progress of its engine has ended with "ready"
    When "GET /v2/workers/idle?model_ref=demo" is requested
    Then the answer holds:
      | state           | idle |
      | slots_available | 1    |

  @B-WRK-011
  Scenario: An engine that loads is registered, and not ready
    Given a fresh installation whose pool is not loaded
    When the preload of an engine with "--ready-after-ms 60000" has been begun and polls
    And "GET /v2/workers/ready" is requested
    Then it is refused with 503 "NO_READY_WORKERS", retriable, and the message "no engine is ready"
    And the answer holds:
      | details.count          | 1 |
      | details.states.loading | 1 |

  @B-WST-002 @B-WST-005 @B-RERR-001
  Scenario Outline: States that workers do not have: <question>
    Given a fresh installation whose engine has one slot
    When "GET /v2/workers/<question>" is requested
    Then it is refused with <status> "<code>", not retriable, and a message

    Examples:
      | question                        | status | code                     |
      | state?expected=asleep           | 400    | UNKNOWN_WORKER_STATE     |
      | transition?from=idle&to=asleep  | 400    | INVALID_STATE_TRANSITION |
      | transition?from=busy&to=loading | 409    | INVALID_STATE_TRANSITION |
