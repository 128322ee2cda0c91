Feature: A task is admitted

  `POST /v2/tasks` answers 202 only when a node has taken the task and Temporal has it on record. The answer says how long
  the client will wait, where to listen, and what its session has left to spend.

  @B-DP-015 @B-DP-021 @B-DP-022 @B-DP-024 @B-DP-081
  Scenario: The answer says where the task stands and where to listen
    When the task "a" is posted
    Then it is accepted with:
      | queue_position      | 0                                 |
      | predicted_start_ms  | 0                                 |
      | backoff_ms          | 0                                 |
      | preparation         | {"steps":[]}                      |
      | streams.sse         | /v2/tasks/<a>/events              |
      | streams.sse_verbose | /v2/tasks/<a>/events?verbose=true |

  @B-DP-025
  Scenario: The answer says what the session has left to spend
    When the task "a" is posted
    Then it is accepted
    And the answer has the headers:
      | X-Budget-Tokens-Remaining  | unlimited |
      | X-Budget-Time-Remaining-Ms | 600000    |
      | X-Budget-Cost-Remaining    | unlimited |

  @B-DP-020 @B-DP-023 @B-DP-120 @B-DP-153
  Scenario: The stream repeats what admission said

    While nothing has been measured, each place in the queue counts as 100 ms. What admission said is recorded, and the stream
    repeats it, however long the task really waited.

    Given a fresh installation whose engine has one slot, busy with the endless task "busy"
    When the tasks "first", "second", "third" and "fourth" are posted
    Then "fourth" was admitted at position 3, to start in 300 ms
    When "busy", "first", "second" and "third" are cancelled
    And a reader opens the stream of "fourth"
    Then the first frame of "fourth" is "started", with queue position 3 and predicted start 300 ms

  @B-DP-020
  Scenario: Once a pace has been measured, the estimate is made of it
    Given an engine with one slot
    And the task "measured" has completed
    And the endless task "busy" is posted
    And "busy" comes to be "executing"
    When the tasks "first" and "second" are posted
    Then "second" was told to wait twice as long as "first", which is no multiple of 100 ms for both

  @B-DP-010 @B-DP-011 @B-DP-063
  Scenario: Interactive tasks go before batch tasks, each class in the order of arrival
    Given an engine with one slot, busy with the endless task "busy"
    When the batch task "b1" is posted
    And the interactive task "i1" is posted
    And the batch task "b2" is posted
    And the interactive task "i2" is posted
    Then the tasks "i1", "i2", "b1" and "b2" wait at the positions 0 to 3
    And the queue holds 2 interactive and 2 batch tasks
    When "busy" is cancelled
    Then the tasks are started in the order "i1", "i2", "b1", "b2"

  @B-DP-012
  Scenario: A task is known by its whole id

    Two ids with the same CRC-32: a queue that knew its tasks by such a hash would confuse them.

    Given an engine with one slot, busy with the endless task "busy"
    When a task "first" with the id "plumless" about the "sea" is posted
    And a task "second" with the id "buckeroo" about the "rain" is posted
    Then the tasks "first" and "second" wait at the positions 0 to 1
    When "busy" is cancelled
    Then the task "first" says a text that begins with "Waves arrive in long grey lines"
    And the task "second" says a text that begins with "Clouds gather over the roofs"

  @B-DP-026 @B-DP-027
  Scenario: An admission is one log line, in figures and in words
    When the task "a" is posted with the correlation id "follow-me-1"
    Then the API has logged one admission of "a", with the correlation id "follow-me-1", at position 0, to start in 0 ms
    And the API has said in words at which place "a" was admitted

  @B-DP-028 @B-OBS-006 @B-OBS-010
  Scenario: An admission is counted under the labels of the pool that took it
    Given the counters are read
    When the task "a" is posted
    Then "tasks_enqueued_total" has risen by 1 for:
      | engine    | llamacpp    |
      | pool_id   | default     |
      | priority  | interactive |

  @B-DP-082
  Scenario: The same task again gets the same answer and runs once
    Given the counters are read
    And the task "a" has completed
    When the same task "a" is posted again
    Then the answer is the one that "a" got first
    And "tasks_started_total" has risen by 1
    And "tasks_enqueued_total" has risen by 1

  @B-DP-083 @B-ERR-010 @B-ERR-011
  Scenario: The same id with another body is a conflict
    Given the task "a" has completed
    When the task "a" is posted again with another prompt
    Then it is refused with 409 "TASK_CONFLICT", not retriable, and a message

  @B-DP-084
  Scenario: A task that nobody watches runs all the same
    When the task "a" about the "sea" is posted
    Then "a" comes to be "completed"
    And "a" has put out 40 tokens or more

  @B-DP-003 @B-DP-004 @B-DP-006
  Scenario Outline: No value of <field> is magic

    Codes such as QUEUE_FULL_DROP_LRU come from a queue that is full, never from what a request says.

    When the task "a" is posted with <field>: <value>
    Then it is accepted
    And "a" comes to be "completed"

    Examples:
      | field           | value            |
      | expected_tokens | 1000000          |
      | expected_tokens | 2000000          |
      | prompt          | "cause-internal" |

  @B-DP-005
  Scenario: No model name makes a pool unavailable
    When the task "a" is posted with model_ref: "pool-unavailable"
    Then it is refused with 404 "MODEL_NOT_FOUND", not retriable, and a message

  @B-DP-220
  Scenario: A task's state can be read at any time
    Given the task "a" has completed
    When the state of "a" is asked for
    Then the answer holds:
      | task_id                | <a>       |
      | state                  | completed |
      | pool_id                | default   |
      | engine                 | llamacpp  |
      | model_ref              | demo      |
      | priority               | interactive |
      | stop_reason            | EOS       |
      | error                  | null      |
      | queue_position         | null      |
      | admission.queue_position | 0       |
    And its times are in the order admitted, started, first token, ended
