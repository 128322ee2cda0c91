Feature: Operators read in Temporal what a task did

  Ids, names and search attributes are plain, so that a task is found without any key. What was asked and what went wrong
  is sealed, and opens through the codec endpoint alone.

  @B-DUR-007 @B-WFH-001
  Scenario: A task is found by what operators know of it
    Given the task "a" has completed
    Then a search in Temporal finds the workflow of "a" by:
      | WorkflowId | task:<a>  |
      | PoolId     | default   |
      | NodeId     | <node>    |
      | Engine     | llamacpp  |
      | ModelRef   | demo      |
      | TaskState  | completed |
      | StopReason | EOS       |
    And its workflow type is "inferTask", on the task queue "tasks"
    And its search attributes give its tokens, its first token's time and its end as its state does

  @B-RED-010 @B-DUR-004
  Scenario: Without the keys nobody reads what was asked
    Given a task "a" with the prompt "Tell me about the sea, and of my secret garden gate." has completed
    Then the history of "a" is sealed: no event holds "secret garden gate" or "Waves arrive"
    And the memo of "a" is sealed too

  @B-RED-010
  Scenario: The codec endpoint opens what is sealed
    Given a task "a" with the prompt "Tell me about the sea, and of my secret garden gate." has completed
    When the input of "a" is sent from its history to the codec endpoint
    Then the answer is the request with "secret garden gate", in plain JSON
    When the input of "a" is sent from its history to a codec endpoint with a guessed path
    Then it is refused with 404 "ROUTE_NOT_FOUND", not retriable, and a message

  @B-WFH-005
  Scenario: A failure's type is plain, its words are sealed
    Given an engine with one slot
    And an endless task "a" with a deadline that passes in mid-stream
    And a reader opens the stream of "a"
    Then the stream of "a" ends with the error "DECODE_TIMEOUT", retriable, and nothing after it
    And the workflow of "a" has failed with the type "DECODE_TIMEOUT"
    And the failure in the history of "a" is sealed: its message is "Encoded failure" and no event holds "the deadline passed"

  @B-DUR-001 @B-WFH-002
  Scenario: A task's history is short and says its milestones
    Given the task "a" has completed
    Then the history of "a" has fewer than 15 events, and no token in any
    And its memo, opened, gives the admission, the node, the pool, the first token, the end and the tokens
