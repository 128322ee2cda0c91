@openai @engines
Feature: Vectors for texts

  Retrieval begins with vectors. They are computed by the engine of a pool, as a durable task like any other: `/v1/embeddings`
  takes and answers what OpenAI's clients send and read, and on `/v2` the vectors stand in the task's frames, one an input.

  Scenario: A batch of texts
    When an OpenAI client asks for the vectors of
      | Tell me about the sea.   |
      | What about the sea?      |
      | Tell me about the tea.   |
      | Tell me about the sea.   |
    Then it has got 4 vectors of length 1, in the order of the texts
    And the vectors 1 and 4 are the same
    And the vector 1 is nearer to 2 than to 3
    And its tokens in are counted, and none out
    And the task of the vectors is "completed"

  Scenario: A vector is the same by itself, as numbers and as base64, and by token ids
    When an OpenAI client asks for the vectors of
      | Tell me about bread.   |
      | Tell me about the sea. |
    Then the second of them alone is the same, asked for as "float"
    And the second of them alone is the same, asked for as "base64"
    And the second of them alone is the same, asked for by its token ids

  Scenario Outline: What the engine cannot do is refused by name: <field>
    When the vectors of "Tell me about the sea." are asked for with
      | <field> | <value> |
    Then the answer is 400 "INVALID_PARAMS" about "<param>" in OpenAI's words

    Examples:
      | field           | value  | param           |
      | dimensions      | 8      | dimensions      |
      | input           | [""]   | input.0         |
      | input           | []     | input           |
      | encoding_format | "int8" | encoding_format |

  Scenario: An engine that does not rank says so
    When "sand" and "snow" are to be ranked for "beach"
    Then the answer is 400 "INVALID_PARAMS" about "workload" in OpenAI's words

  Scenario: The same key and body are one task
    When the vectors of "Tell me about the sea." are asked for twice with one idempotency key
    Then both answers are the same, of one task
    When the vectors of "Tell me about the tea." are asked for with that key
    Then the answer is 409 in OpenAI's words
