@engines
Feature: An engine that speaks OpenAI's words serves like any other

  Whatever server a team runs already, its handoff makes it a pool. It takes text and tells no token ids, so a task goes on
  from its words. Here the engine of the pool "default" is announced once more, as such a server.

  @B-AD-006
  Scenario: A task on a server that Drover knows by OpenAI's words alone
    Given a fresh installation
    When its engine is announced for the pool "words" too, as one of the kind "openai"
    And the API comes to show the pool "words" as ready
    And the task "a" is posted with:
      | engine    | openai                 |
      | model_ref | theirs                 |
      | prompt    | Tell me about the sea. |
    And a reader opens the stream of "a"
    Then the stream of "a" ends with "end" and says the text about the "sea"
    And the "end" of "a" tells as many tokens as the engine has counted

  @B-AD-013
  Scenario: Such a server dies in mid-stream
    Given a fresh installation with a slow engine
    When its engine is announced for the pool "words" too, as one of the kind "openai"
    And the API comes to show the pool "words" as ready
    And the task "a" is posted with:
      | engine    | openai                 |
      | model_ref | theirs                 |
      | prompt    | Tell me about the tea. |
    And a reader opens the stream of "a"
    And the reader of "a" gets 16 tokens
    And the engine is killed
    Then the stream of "a" ends with "end" and says the text about the "tea"
