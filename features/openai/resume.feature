@openai
Feature: A completion goes on where its reader left off

  OpenAI's clients do not reconnect in mid-stream, so this is shown with plain fetch: every chunk has an `id:`, and a reader
  that comes back with the last one it had, to the completion or by the same POST with its `Idempotency-Key`, gets every
  other chunk once.

  Scenario: By the completion's id
    Given a chat stream of 120 tokens was left after 40 chunks
    When its reader comes back to the completion with the last id
    Then all chunks together are those of an undisturbed reader, each once

  Scenario: By the same POST
    Given a chat stream of 120 tokens with an idempotency key was left after 40 chunks
    When its reader sends the same POST again with the last id
    Then all chunks together are those of an undisturbed reader, each once
    And there is one run of it

  Scenario: The same key for something else
    Given a chat stream of 120 tokens with an idempotency key was left after 40 chunks
    When another body is sent with the same idempotency key
    Then the answer is 409 in OpenAI's words

  Scenario: After any chunk, also the last ones
    Given a chat stream of 3 tokens was read to its end
    Then a reader that comes back after any of its chunks gets exactly the others

  Scenario: A stream that nobody comes back to is cancelled
    Given readers may be away for 300 ms
    And a chat stream of 3800 tokens was left after 5 chunks
    Then the completion's task is "cancelled"
    And its slot is free again

  Scenario: A stream with an idempotency key runs on
    Given readers may be away for 300 ms
    And a chat stream of 800 tokens with an idempotency key was left after 5 chunks
    Then the completion's task is "completed"

  Scenario: A client that leaves before the whole answer ends its task
    Given readers may be away for 300 ms
    When an OpenAI client asks for a whole chat of 3800 tokens and leaves once it runs
    Then the completion's task is "cancelled"
    And its slot is free again
