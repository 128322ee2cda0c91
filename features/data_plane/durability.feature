Feature: No process takes a task with it

  Every task is a durable workflow, its tokens stand in the node's log before anybody sees them, and the API owns nothing.
  What dies is started again; what was accepted goes on.

  @B-DUR-001
  Scenario: A task is on record before it is accepted
    When the task "a" is posted
    Then it is accepted
    And Temporal has the workflow "task:<a>", started before the answer came

  @B-DUR-002
  Scenario: The API is killed in mid-stream
    Given an engine with one slot
    And a task "a" of 250 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When the API is killed and another one is started
    Then "a" has gone on meanwhile
    When the reader of "a" comes back with its last event id
    Then the stream of "a" ends with "end"
    And the reader of "a" has got each of the 250 tokens once
    And it has got the text of an undisturbed run

  @B-DUR-002
  Scenario: A waiting task survives the API that accepted it
    Given an engine with one slot, busy with the endless task "busy"
    And the task "a" about the "rain" is posted
    When the API is killed and another one is started
    Then "a" waits at position 0
    When "busy" is cancelled
    Then "a" comes to be "completed"

  @B-DUR-009
  Scenario: Every API shows the one queue, and serves every stream
    Given an engine with one slot, busy with the endless task "busy"
    And the task "a" is posted
    When a second API is started
    And the task "b" is posted
    Then the tasks "a" and "b" wait at the positions 0 to 1
    When "busy" is cancelled
    And a reader opens the stream of "a"
    Then the stream of "a" ends with "end"

  @B-DUR-003 @B-DUR-009
  Scenario: The node worker is killed in mid-stream, with tasks waiting
    Given a fresh installation whose engine has one slot
    And a task "a" of 200 tokens is posted
    And the batch task "b1" is posted
    And the interactive task "i1" is posted
    And the batch task "b2" is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When the node worker is killed and started again
    Then it has adopted the engine that ran before
    And the stream of "a" ends with "end"
    And the reader of "a" has got each of the 200 tokens once
    And it has got the text of an undisturbed run
    And the tasks are started in the order "a", "i1", "b1", "b2"

  @B-DUR-003
  Scenario: The engine is killed in mid-stream, with a task waiting
    Given a fresh installation with a slow engine
    And the task "tea" about the "tea" is posted
    And the task "waits" about the "sea" is posted
    And a reader opens the stream of "waits"
    And a reader opens the stream of "tea"
    And the reader of "tea" gets 16 tokens
    When the engine is killed
    Then the stream of "tea" ends with "end" and says the text about the "tea"
    And the stream of "waits" ends with "end" and says the text about the "sea"
    And the tasks are started in the order "tea", "waits"
    And the node has logged that "tea" waited for an engine

  @B-ERR-004 @B-ERR-020
  Scenario: A record that is none of ours is an internal error, which tells nothing of the inside
    Given somebody has started a workflow of another kind under the id of the task "alien"
    When the state of "alien" is asked for
    Then it is refused with 500 "INTERNAL", not retriable, and a message
    And the answer tells nothing of the inside

  @B-ERR-003 @B-ERR-013 @B-ERR-014 @B-ERR-019
  Scenario: A pool whose node is gone is unavailable
    Given a fresh installation
    When the node worker is killed
    And the task "a" is posted
    Then it is refused with 503 "POOL_UNAVAILABLE", retriable, and a message
    And the answer has the headers:
      | Retry-After | 1 |
    And the answer holds:
      | retry_after_ms | 1000  |
      | policy_label   | retry |
