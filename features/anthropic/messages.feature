@anthropic
Feature: An application that speaks Anthropic's protocol switches by its base URL

  The official `@anthropic-ai/sdk`, unchanged, speaks to `/v1/messages`. Underneath is the same durable task as on `/v2`.

  Scenario: A message is created
    When an Anthropic client asks about the "sea"
    Then the message is the demo model's text about the "sea"
    And it stopped for "end_turn", with its tokens counted
    And the message's task is "completed"

  Scenario: A message is streamed
    When an Anthropic client streams an answer about the "tea"
    Then the message is the demo model's text about the "tea"
    And it stopped for "end_turn", with its tokens counted
    And its events were the start, one block of text, and the end

  Scenario: Its own end: a limit, and a stop sequence
    When an Anthropic client asks about the "sea" with
      | max_tokens | 5 |
    Then it stopped for "max_tokens", with its tokens counted
    When an Anthropic client asks about the "sea" with
      | stop_sequences | [" shore"] |
    Then it stopped for "stop_sequence", with its tokens counted

  Scenario: Tokens are counted before anything is asked
    When an Anthropic client counts what it would ask about the "sea"
    And an Anthropic client asks about the "sea"
    Then it has counted the tokens that the message says were read
    And what the system says is counted too

  Scenario: A reader comes back
    Given an engine with one slot
    When a reader of Anthropic's events about the "tea" leaves after 6 of them and comes back
    Then it has got every event of the message once

  Scenario Outline: A refusal is in Anthropic's words: <what>
    When an Anthropic client <asks>
    Then it is refused with <status> "<type>"

    Examples:
      | what             | asks                                     | status | type                  |
      | an unknown model | asks the model "nobody-serves-this"      | 404    | not_found_error       |
      | a wrong key      | asks with the key "no-key-of-ours"       | 401    | authentication_error  |
      | a tool           | asks for a tool                          | 400    | invalid_request_error |
