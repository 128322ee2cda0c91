Feature: A task can be cancelled

  `POST /v2/tasks/{id}/cancel` answers 204 when the task is over: no token reaches any reader after that, and its slot is
  free for the next.

  @B-DP-205 @B-DP-209 @B-DP-204 @B-DP-200
  Scenario: A waiting task is cancelled
    Given an engine with one slot, busy with the endless task "busy"
    And the tasks "a" and "b" are posted
    When "a" is cancelled
    Then the answer is 204 without a body, with a correlation id
    And "a" comes to be "cancelled"
    And "a" was never started
    And the queue holds 1 interactive and 0 batch tasks
    And the record of "a" in Temporal says "cancelled"

  @B-DP-206 @B-DP-130 @B-DP-131 @B-DP-133
  Scenario: A task is cancelled in mid-stream
    Given an engine with one slot
    And the endless task "a" is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 10 tokens
    When "a" is cancelled
    Then nothing but the error comes for "a" after the answer
    And the stream of "a" ends with the error "CANCELLED", not retriable, and nothing after it
    And what the reader of "a" got before is the beginning of the endless text

  @B-DP-210 @B-DUR-005
  Scenario: A cancel frees the slot and stops the engine
    Given an engine with one slot
    And the endless task "a" is posted
    And "a" comes to be "executing"
    When "a" is cancelled
    Then every slot is free, and the engine itself comes to be idle
    And the workflow of "a" has ended as "CANCELLED"
    When the task "next" is posted
    Then it is accepted with:
      | queue_position     | 0 |
      | predicted_start_ms | 0 |
    And "next" comes to be "completed"

  @B-DP-134
  Scenario: A reader of a task that was cancelled while it waited
    Given an engine with one slot, busy with the endless task "busy"
    And the task "a" is posted
    And a reader opens the stream of "a"
    When "a" is cancelled
    Then the stream of "a" ends with the error "CANCELLED", not retriable, and nothing after it
    And the reader of "a" has got no token

  @B-DP-201 @B-DP-202
  Scenario: A cancel is one log line, in figures and in words
    Given an engine with one slot
    And the endless task "a" is posted
    When "a" is cancelled
    Then the answer is 204 without a body, with a correlation id
    And the cancel of "a" is logged with its id
    And the cancel of "a" is told in words

  @B-DP-166
  Scenario: A task ends with its last reader when it asked for that
    Given readers may be away for 300 ms
    When a task "a" is posted that is to end with its last reader
    And a reader opens the stream of "a"
    And the reader of "a" gets 5 tokens
    And the reader of "a" leaves
    Then "a" comes to be "cancelled"

  @B-DP-166
  Scenario: A task goes on without readers when it did not
    Given readers may be away for 300 ms
    And a task "a" of 80 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 5 tokens
    When the reader of "a" leaves
    Then "a" comes to be "completed"

  @B-DP-203 @B-DP-207
  Scenario: A cancel counts once, however often it is asked for
    Given an engine with one slot
    And the endless task "a" is posted
    And "a" comes to be "executing"
    And the counters are read
    When "a" is cancelled
    And "a" is cancelled
    And "a" is cancelled
    Then the answer is 204 without a body, with a correlation id
    And "tasks_canceled_total" has risen by 1 for:
      | engine     | llamacpp |
      | pool_id    | default  |
      | replica_id | r0       |
      | reason     | client   |

  @B-DP-207
  Scenario: Cancelling what has ended changes nothing
    Given the task "a" has completed
    And the counters are read
    When "a" is cancelled
    Then the answer is 204 without a body, with a correlation id
    And "a" comes to be "completed"
    And "tasks_canceled_total" has risen by 0
