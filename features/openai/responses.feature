@openai
Feature: Responses, which need not be waited for

  The official `openai` package, unchanged, speaks to `/v1/responses`. Underneath is the same durable task as on `/v2`. One in
  the background runs whether or not anybody reads it; the stream of any goes on after the number of the last event that its
  reader has had, at whichever API it asks.

  Scenario: A response is created
    When an OpenAI client asks for a response about the "sea" with
      | instructions | "Tell it as it is." |
      | metadata     | {"a": "b"}          |
      | store        | false               |
    Then the response is "completed" with the demo model's text about the "sea"
    And its tokens are counted, and it repeats its instructions, metadata and store
    And the response's task is "completed"

  Scenario: A response is streamed
    When an OpenAI client streams a response about the "tea"
    Then the response is "completed" with the demo model's text about the "tea"
    And its events opened the text, told it, closed it and ended, numbered from 0 without a gap

  Scenario: The client's own helper follows it
    When an OpenAI client streams a response about the "bread" with its helper
    Then the response is "completed" with the demo model's text about the "bread"

  Scenario: A limit
    When an OpenAI client asks for a response about the "sea" with
      | max_output_tokens | 5 |
    Then the response is "incomplete" after 5 tokens, cut by "max_output_tokens"

  Scenario: An answer in a format
    When an OpenAI client asks for a response about the "sea" with
      | text              | {"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"n":{"type":"boolean"}},"required":["n"],"additionalProperties":false}}} |
      | max_output_tokens | 200 |
    Then the response's text is JSON, and has a boolean "n" alone

  Scenario: One in the background is read later
    Given an engine with one slot, busy with the endless task "busy"
    When an OpenAI client asks for a response about the "sea" in the background
    Then the response is "queued", without a text
    When "busy" is cancelled
    Then it comes to be "completed" with the demo model's text about the "sea"

  Scenario: One in the background outlives its reader and the API, and is read to its end elsewhere
    Given readers may be away for 300 ms
    And an OpenAI client has read 20 events of a response of 400 tokens in the background, and left
    When the API is killed and another one is started
    And it comes back after the last number that it had
    Then all events together are those of an undisturbed reader, each once
    And the response is "incomplete" after 400 tokens, cut by "max_output_tokens"

  Scenario: One in the background is cancelled, as often as one likes
    Given an engine with one slot
    And an OpenAI client has read 5 events of a response of 3800 tokens in the background, and left
    When it cancels the response twice
    Then the response is "cancelled" both times
    And its slot is free again

  Scenario: One that its caller waits for ends with its last reader, and is not cancelled by its id
    Given readers may be away for 300 ms
    And an OpenAI client has read 5 events of a response of 3800 tokens, and left
    Then the response is refused a cancel with 400
    And the response's task is "cancelled"
    And its slot is free again

  Scenario Outline: What is not offered is refused by name: <field>
    When an OpenAI client is refused a response with
      | <field> | <value> |
    Then the response's refusal is <status> "<code>" about "<param>"

    Examples:
      | field                | value                                                        | status | code            | param                |
      | model                | "nobody-serves-this"                                         | 404    | MODEL_NOT_FOUND |                      |
      | tools                | [{"type":"web_search","name":"w"}]                           | 400    | INVALID_PARAMS  | tools.0.type         |
      | previous_response_id | "resp_1"                                                     | 400    | INVALID_PARAMS  | previous_response_id |
      | input                | [{"role":"user","content":[{"type":"input_image"}]}]         | 400    | INVALID_PARAMS  | input                |
      | include              | ["reasoning.encrypted_content"]                              | 400    | INVALID_PARAMS  | include              |
