@engines @llama-server
Feature: How likely the tokens of an answer were

  Scenario Outline: Of a chat, <how>
    When an OpenAI client asks for the 3 likeliest tokens of a chat about the "sea", <how>
    Then they spell the demo model's text about the "sea", and each comes with 3 of which it is the likeliest

    Examples:
      | how      |
      | whole    |
      | streamed |

  Scenario Outline: Of a text, <how>
    When an OpenAI client asks for the 2 likeliest tokens of the text "Tell me about the sea.", <how>
    Then they spell the demo model's text about the "sea", and each has its place in it

    Examples:
      | how      |
      | whole    |
      | streamed |
