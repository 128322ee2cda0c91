@openai
Feature: Refusals in OpenAI's words

  A client of OpenAI's reads the status, `error.code` and `error.param`, and retries by `retry-after-ms`. The code is
  Drover's own, so that one search finds it in code, log and metric.

  Scenario Outline: <what>
    When an OpenAI client is refused a chat with
      | <field> | <value> |
    Then the refusal is <status> "<code>" about "<param>", with a request id

    Examples:
      | what                 | field           | value                       | status | code            | param           |
      | An unknown model     | model           | "nobody-serves-this"        | 404    | MODEL_NOT_FOUND |                 |
      | Several answers      | n               | 2                           | 400    | INVALID_PARAMS  | n               |
      | A tool without name  | tools           | [{"type":"function","function":{}}] | 400 | INVALID_PARAMS | tools.0.function.name |
      | Functions            | functions       | [{"name":"f"}]              | 400    | INVALID_PARAMS  | functions       |
      | A format of no kind  | response_format | {"type":"xml"}              | 400    | INVALID_PARAMS  | response_format.type |
      | A wrong type         | temperature     | "hot"                       | 400    | INVALID_PARAMS  | temperature     |
      | No messages          | messages        | []                          | 400    | INVALID_PARAMS  | messages        |
      | Beyond the context   | max_tokens      | 40000                       | 400    | INVALID_PARAMS  | max_tokens      |

  Scenario Outline: What this engine does not do: <what>
    When an OpenAI client is refused a chat with
      | <field> | <value> |
    Then the refusal is 400 "INVALID_PARAMS" about "<field>", with a request id

    Examples:
      | what                      | field    | value                                                |
      | Tools                     | tools    | [{"type":"function","function":{"name":"get_tide"}}] |
      | How likely its tokens are | logprobs | true                                                 |

  Scenario: A wrong key
    When an OpenAI client with the key "no-key-of-ours" is refused a chat
    Then the refusal is 401 "BAD_TOKEN" about "", with a request id

  Scenario: A full queue says when to come back
    Given a queue with one slot and room for 1 task, both taken
    When an OpenAI client is refused a chat with
      | max_tokens | 5 |
    Then the refusal is 429 "ADMISSION_REJECT" about "", with a request id
    And it says in "retry-after-ms" and "retry-after" when to come back
