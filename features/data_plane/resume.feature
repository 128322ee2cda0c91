Feature: A stream can be left and taken up again

  Every frame has its place in the task's log as its `id`. A reader that comes back says which one it had, by
  `Last-Event-ID` as browsers do or by `?from=`, and gets all that follows: no gap, no repeat, byte for byte what a reader
  got who never left.

  @B-DP-167
  Scenario: Back while the task runs, by Last-Event-ID
    Given an engine with one slot
    And a task "a" of 100 tokens is posted
    And a reader "steady" opens the stream of "a"
    When a reader "restless" reads 20 tokens of "a", leaves, and comes back with its last event id
    Then the stream of "steady" ends with "end"
    And "restless" has got what "steady" got, byte for byte
    And the tokens of "restless" are numbered from 0 to 99 without a gap

  @B-DP-167
  Scenario: Back while the task runs, without saying where
    Given an engine with one slot
    And a task "a" of 100 tokens is posted
    And a reader "early" opens the stream of "a"
    And the reader of "early" gets 20 tokens
    When a reader "late" opens the stream of "a"
    Then the stream of "early" ends with "end"
    And "late" has got what "early" got, byte for byte
    And the first frame of "late" is "started"

  @B-DP-168
  Scenario Outline: Back after the end, <how>
    Given the task "a" about the "river" is posted
    And a reader "first" has read the stream of "a" to its end
    When a reader "again" reads the stream of "a" to its end <how>
    Then "again" has got what "first" got from frame <frame> on, byte for byte

    Examples:
      | how                   | frame |
      | from the start        | 0     |
      | after event 0         | 1     |
      | after event 5         | 6     |
      | from frame 3          | 3     |

  @B-DP-168
  Scenario: Back after the end, with everything read

    A reader that has had the last frame is told so with 204, which stops a browser from coming back again.

    Given the task "a" about the "river" is posted
    And a reader "first" has read the stream of "a" to its end
    When a reader "again" opens the stream of "a" after the last event of "first"
    Then the stream of "again" has the status 204 and no frame

  @B-DP-169
  Scenario: Two readers of one task see the same
    Given the task "a" about the "stars" is posted
    When the readers "left" and "right" read the stream of "a" to its end at the same time
    Then "right" has got what "left" got, byte for byte
    And the stream of "left" says:
      """
      Lanterns of the night, they are older than every road below them. Read them slowly: first comes the bright one in the west, then the seven sisters, then a pale band of dust that nobody has ever crossed on foot.
      """

  @B-DP-169
  Scenario: A thousand readers of one task see the same
    Given an engine with one slot
    And a task "a" of 400 tokens is posted
    When 1000 readers read the stream of "a" to its end at the same time
    Then each of the 1000 readers has got each of the 400 tokens once, in the same frames

  Scenario Outline: A place that is none: <header>
    Given the task "a" is posted
    When "GET /v2/tasks/<a>/events" is requested with Last-Event-ID "<header>"
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message

    Examples:
      | header |
      | -1     |
      | seven  |
