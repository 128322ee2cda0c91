Feature: A full queue refuses, and says when to come again

  A pool on a node holds 16 waiting tasks unless it is told otherwise, both classes together. What does not fit is refused
  at once: an honest 429 is worth more than a place in a line that never moves.

  Background:
    Given an engine with one slot, busy with the endless task "busy"

  @B-DP-013 @B-DP-060 @B-DP-061 @B-DP-062 @B-ERR-005
  Scenario: The seventeenth waiting task is refused, and the others keep their places
    Given 16 tasks wait, 8 of them batch
    And the queue holds 8 interactive and 8 batch tasks
    When the task "late" is posted
    Then it is refused with 429 "ADMISSION_REJECT", retriable, and a message
    And the 16 tasks still wait at the positions 0 to 15
    And there is no task "late"

  @B-DP-031 @B-DP-032 @B-DP-036 @B-DP-038 @B-ERR-016
  Scenario: A refusal says in header and body when to come again
    Given 16 tasks wait
    When the task "late" is posted
    Then it is refused with 429 "ADMISSION_REJECT", retriable, and a message
    And header and body say alike when to come again, in a second or later
    And the answer holds:
      | policy_label | reject |

  @B-DP-033 @B-ERR-012 @B-ERR-015 @B-ERR-017
  Scenario: A refusal is the flat envelope, with the engine of the request
    Given 16 tasks wait
    When the task "late" is posted
    Then it is refused with 429 "ADMISSION_REJECT", retriable, and a message
    And the answer holds:
      | engine       | llamacpp |
      | pool_id      | default  |
      | policy_label | reject   |
    And header and body say alike when to come again, in a second or later

  @B-DP-034 @B-DP-035 @B-OBS-036
  Scenario: A refusal is counted once as rejected and once as backpressure
    Given 16 tasks wait
    And the counters are read
    When the task "late" is posted
    Then it is refused with 429 "ADMISSION_REJECT", retriable, and a message
    And "tasks_rejected_total" has risen by 1 for:
      | engine | llamacpp         |
      | reason | ADMISSION_REJECT |
    And "admission_backpressure_events_total" has risen by 1 for:
      | engine | llamacpp |
      | policy | reject   |
    And "tasks_enqueued_total" has risen by 0

  @B-DP-037
  Scenario: Streams go on while the queue is full
    Given 16 tasks wait
    When a reader opens the stream of "busy"
    And the task "late" is posted
    Then it is refused with 429 "ADMISSION_REJECT", retriable, and a message
    And header and body say alike when to come again, in a second or later
    And the first frame of "busy" is "started", with queue position 0 and predicted start 0 ms
    And the reader of "busy" gets 10 more tokens

  @B-DP-070
  Scenario: Two tasks race for the last place
    Given 15 tasks wait
    When two tasks are posted at the same moment
    Then one is accepted and one is refused with 429 "ADMISSION_REJECT"

  @B-DP-068 @B-DP-180
  Scenario: A waiting task whose deadline passes leaves the queue, and says so
    Given the counters are read
    And a task "impatient" with as short a deadline as the pool takes is posted, and waits
    And a reader opens the stream of "impatient"
    And the task "patient" is posted
    And "patient" waits at position 1
    Then the stream of "impatient" ends with the error "DEADLINE_UNMET", not retriable, and nothing after it
    And "impatient" comes to be "expired"
    And "patient" waits at position 0
    And the queue holds 1 interactive and 0 batch tasks
    And "tasks_canceled_total" has risen by 1 for:
      | reason | deadline |

  @B-DP-068
  Scenario: A place is free again as soon as a waiting task is cancelled
    Given 16 tasks wait
    When the task at position 3 is cancelled
    Then the queue holds 15 interactive and 0 batch tasks
    And the task that was at position 4 waits at position 3
    When the task "late" is posted
    Then it is accepted with:
      | queue_position | 15 |
