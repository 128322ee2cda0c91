@openai
Feature: An application switches to Drover by changing a base URL

  The official `openai` package, unchanged, speaks to `/v1`. Underneath is the same durable task as on `/v2`: an operator
  finds it in Temporal, and its text is the engine's own.

  Scenario: A chat is completed
    When an OpenAI client asks in a chat about the "sea"
    Then it has got the demo model's text about the "sea"
    And it finished for "stop" with its tokens counted
    And the completion's task is "completed"

  Scenario: A chat is streamed
    When an OpenAI client streams a chat about "tea"
    Then it has got the demo model's text about the "tea"
    And its chunks were the role, then content, then the finish, then the usage
    And it finished for "stop" with its tokens counted

  Scenario Outline: A text is completed, <how>
    When an OpenAI client completes the text "Tell me about the sea.", <how>
    Then it has got the demo model's text about the "sea"

    Examples:
      | how      |
      | whole    |
      | streamed |

  Scenario: Limits and stop words
    When an OpenAI client asks in a chat about the "sea" with
      | max_completion_tokens | 5 |
    Then it finished for "length" with 5 tokens
    When an OpenAI client asks in a chat about the "sea" with
      | stop | " shore" |
    Then its text ends with "softly on the"
    And it finished for "stop"

  Scenario Outline: An answer in a format: <type>
    When an OpenAI client asks in a chat about the "sea" with
      | response_format       | <format> |
      | max_completion_tokens | 200      |
    Then its text is JSON, and has <what>
    And it finished for "stop"

    Examples:
      | type        | format                                                                                                                                               | what               |
      | json_schema | {"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"n":{"type":"boolean"}},"required":["n"],"additionalProperties":false}}} | a boolean "n" alone |

  Scenario: What clients send beside it is tolerated
    When an OpenAI client asks in a chat about the "sea" with
      | user        | "someone"   |
      | store       | true        |
      | metadata    | {"a": "b"}  |
      | tools       | []          |
      | logprobs    | false       |
    Then it has got the demo model's text about the "sea"

  Scenario: Models
    When an OpenAI client lists the models
    Then "demo" is among them, and is found by its id, as is "default"

  Scenario: Three chats at once
    When OpenAI clients stream chats about the sea, the tea and bread at the same time
    Then they have got the texts about sea, tea and bread
