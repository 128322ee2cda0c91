Feature: An engine that stands still is not waited for for ever

  A machine that swaps, a driver that hangs: an engine may live and say nothing. A moment of that is a pause for its
  streams. One that misses three health polls in a row is ended, and its tasks go on in the next one.

  @apart @B-SUPER-002 @B-DUR-003 @B-ERR-003
  Scenario: For a moment, and then for half a minute
    Given a fresh installation with a slow engine that is asked for its health every 2000 ms
    And a task "a" of 250 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When the engine stands still for 3 s
    Then the reader of "a" gets 20 more tokens
    And the engine that ran before still serves
    When the engine begins to stand still for 30 s
    And the task "early" is posted
    Then it is refused with 503 "POOL_UNAVAILABLE", retriable, and a message
    And the node has logged that the engine missed 3 health polls, and has ended it for that
    And another engine comes to serve
    And the reader of "a" has got each of the 250 tokens once
    And it has got the text of an undisturbed run
    When the task "late" is posted
    Then "late" comes to be "completed"
