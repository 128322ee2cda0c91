@engines @llama-server
Feature: An answer calls tools

  What a model calls is read out of its answer by its engine, in that model's own way; Drover passes it on in OpenAI's words. The
  demo model was taught nothing of tools: llama.cpp's own server, with a template that knows them, makes it call one where it must.

  Scenario Outline: A call, <how>
    Given an engine whose model knows tools
    When an OpenAI client must have "get_tide" called, <how>
    Then it has got one call of "get_tide", whose arguments are JSON with a boolean "high" alone
    And nothing was said beside it, and it finished for "tool_calls" with its tokens counted

    Examples:
      | how      |
      | whole    |
      | streamed |

  Scenario Outline: A response calls one, <how>
    Given an engine whose model knows tools
    When an OpenAI client must have "get_tide" called by a response, <how>
    Then it has got one call of "get_tide", whose arguments are JSON with a boolean "high" alone
    And what the tool said is answered with the same text, whether the items before are sent or named

    Examples:
      | how      |
      | whole    |
      | streamed |

  Scenario: One of two tools by its name
    Given an engine whose model knows tools
    When an OpenAI client names "get_wind" of two tools
    Then it has got one call of "get_wind", whose arguments are JSON with a boolean "high" alone

  Scenario: The client calls the function, and tells what it said
    Given an engine whose model knows tools
    When OpenAI's helper runs the tool "get_tide"
    Then the function was called once, with a boolean "high" alone
    And the answer to what it said is text, and calls nothing

  Scenario: A reader of a call comes back
    Given an engine whose model knows tools
    When the stream of a call is read again after each of its chunks
    Then each time all chunks together are those of the first reader

  Scenario: The engine dies amid a call
    Given a slow engine with one slot, whose model knows tools
    When the engine is killed amid a call that an OpenAI client streams
    Then the stream of the call ends with one error "WORKER_RESET"

  Scenario: A model whose template knows no tools
    When an OpenAI client is refused a chat with
      | tools | [{"type":"function","function":{"name":"get_tide"}}] |
    Then the refusal is 400 "INVALID_PARAMS" about "tools", with a request id

  Scenario: An Anthropic client
    Given an engine whose model knows tools
    When an Anthropic client must have "get_tide" called
    Then its message is one use of "get_tide" with a boolean "high" alone, and it stopped for "tool_use"
