Feature: A task with inputs answers them one by one

  A task of workload `embedding` has one `token` frame for each of its inputs, in their order: `i` is the input's number, and
  the vector is base64 of 32-bit floats. Its stream is resumed like any other, and no input is answered twice.

  @B-DP-123 @B-DP-124
  Scenario: The frames of a task with inputs
    When a task "a" with 3 inputs is posted
    And a reader opens the stream of "a"
    Then the stream of "a" ends with "end"
    And the frames of "a" are one "started", then tokens counted from 0 with metrics between them, then one "end"
    And the reader of "a" has got a vector for each of the 3 inputs, once
    And the last frame of "a" is "end" with:
      | tokens_out  | 0     |
      | stop_reason | "EOS" |

  @B-DP-168
  Scenario: A reader comes back
    Given a task "a" with 100 inputs is posted
    And a reader "first" has read the stream of "a" to its end
    When a reader "again" reads the stream of "a" to its end after event 40
    Then "again" has got what "first" got from frame 41 on, byte for byte
    And the reader of "first" has got a vector for each of the 100 inputs, once

  @B-DUR-003
  Scenario: The node worker is killed in the midst of the inputs
    Given a fresh installation whose engine has one slot
    And a task "a" with 64 inputs is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens while "a" is "executing"
    When the node worker is killed and started again
    Then the stream of "a" ends with "end"
    And the reader of "a" has got a vector for each of the 64 inputs, once

  @B-DUR-003
  Scenario: The engine is killed in the midst of the inputs
    Given a fresh installation whose engine has one slot
    And a task "a" with 64 inputs is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens while "a" is "executing"
    When the engine is killed
    Then the stream of "a" ends with "end"
    And the reader of "a" has got a vector for each of the 64 inputs, once
    And the node has logged that "a" waited for an engine with some of its inputs answered

  Scenario: Cancelled in the midst of the inputs
    Given a fresh installation whose engine has one slot
    And a task "a" with 64 inputs is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens while "a" is "executing"
    When "a" is cancelled
    Then the stream of "a" ends with "error"
    And "a" comes to be "cancelled"

  Scenario: A workload that the engine does not do is refused before it waits
    When a task "a" of workload "rerank" is posted
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the refusal names the fields "workload"

  Scenario: The history holds no vector
    Given a task "a" with 3 inputs is posted
    And a reader "a" has read the stream of "a" to its end
    When "a" comes to be "completed"
    Then the history of "a" has its inputs and no vector
