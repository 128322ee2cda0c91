@openai
Feature: An application on the AI SDK switches to Drover by its base URL

  Vercel's `ai` with `@ai-sdk/openai`, unchanged, is given the address of `/v1`: by its chat model, and by its default, which
  speaks the words of responses. What it reports of the end and of tokens is what the engine said, and who aborts it ends the task.

  Scenario Outline: A text is generated, by <model>
    When the AI SDK generates a text about the "sea" by <model>
    Then the SDK has got the demo model's text about the "sea"
    And it finished for "stop", with its tokens counted as the task's

    Examples:
      | model         |
      | its default   |
      | its chat model |

  Scenario Outline: A text is streamed, by <model>
    When the AI SDK streams a text about the "tea" by <model>
    Then the SDK has got the demo model's text about the "tea", in pieces
    And it finished for "stop", with its tokens counted as the task's

    Examples:
      | model         |
      | its default   |
      | its chat model |

  Scenario Outline: A limit, by <model>
    When the AI SDK generates a text of 5 tokens by <model>
    Then it finished for "length", with its tokens counted as the task's

    Examples:
      | model         |
      | its default   |
      | its chat model |

  Scenario Outline: An object is generated, by <model>
    When the AI SDK generates an object with a boolean "n" by <model>
    Then it has got an object with a boolean "n"

    Examples:
      | model         |
      | its default   |
      | its chat model |

  Scenario Outline: A talk goes on, by <model>
    When the AI SDK asks about the "sea" and then about the "tea" in one talk by <model>
    Then the SDK has got the demo model's text about the "tea"
    And what was said first was read again

    Examples:
      | model         |
      | its default   |
      | its chat model |

  Scenario Outline: An abort ends the task, by <model>
    Given readers may be away for 300 ms
    When the AI SDK streams an endless text by <model> and aborts it after 5 pieces
    Then the SDK's task is "cancelled"
    And its slot is free again

    Examples:
      | model         |
      | its default   |
      | its chat model |

  Scenario Outline: A refusal is the SDK's own error, by <model>
    When the AI SDK is refused the model "nobody-serves-this" by <model>
    Then its error says 404, and that no pool serves the model

    Examples:
      | model         |
      | its default   |
      | its chat model |
