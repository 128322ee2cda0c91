Feature: A full queue may drop the task that waits longest

  An operator who prefers new work to old sets the policy `drop-lru`. The newcomer is accepted; the task that goes hears it
  in its own stream, may come again, and is counted as refused. A batch task never takes the place of an interactive one.

  Background:
    Given a queue of 2 under "drop-lru", behind one slot that is busy with the endless task "busy"

  @B-DP-014 @B-DP-065 @B-DP-067 @B-CFG-002
  Scenario: The oldest batch task goes for a newcomer
    Given the batch task "old" is posted
    And the interactive task "older-than-new" is posted
    And the tasks "older-than-new" and "old" wait at the positions 0 to 1
    And a reader opens the stream of "old"
    When the task "new" is posted
    Then it is accepted with:
      | queue_position | 1 |
    And the stream of "old" ends with the error "QUEUE_FULL_DROP_LRU", retriable, and nothing after it
    And "old" comes to be "dropped"
    And the tasks "older-than-new" and "new" wait at the positions 0 to 1

  @B-OBS-037
  Scenario: The one that goes is counted, the newcomer is not
    Given the batch task "old" is posted
    And the batch task "other" is posted
    And the tasks "old" and "other" wait at the positions 0 to 1
    And the counters are read
    When the task "new" is posted
    Then it is accepted with:
      | queue_position | 0 |
    And "tasks_enqueued_total" has risen by 1 for:
      | priority | interactive |
    And "tasks_rejected_total" has risen by 1 for:
      | engine | llamacpp            |
      | reason | QUEUE_FULL_DROP_LRU |
    And "admission_backpressure_events_total" has risen by 1 for:
      | engine | llamacpp |
      | policy | drop-lru |

  @B-DP-066 @B-ERR-006
  Scenario: A batch task that may displace nobody is refused
    Given the interactive task "one" is posted
    And the interactive task "two" is posted
    And the tasks "one" and "two" wait at the positions 0 to 1
    When the batch task "new" is posted
    Then it is refused with 429 "QUEUE_FULL_DROP_LRU", retriable, and a message
    And the answer holds:
      | policy_label | drop-lru |
    And header and body say alike when to come again, in a second or later
    And the tasks "one" and "two" wait at the positions 0 to 1
