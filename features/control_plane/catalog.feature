Feature: An operator keeps a catalogue of models

  The catalogue says what is known of a model: its digest, where its files are, whether it may still be used. It stands
  in the database, so every API has the same, and a model that is retired or not what it says gets no new task.

  @B-CAT-001 @B-CAT-005 @B-CAT-006 @B-CAT-011 @B-CAT-024
  Scenario: A model is made, verified, and outlives the API
    Given an engine with one slot
    And the model cache has a file "tea" that says "weights"
    When the model "tea" with the digest of "weights" is saved
    Then the answer is 201
    When the API is killed and another one is started
    And "POST /v2/catalog/models/tea/verify" is requested
    Then the answer is 202
    And the answer holds:
      | id                    | tea    |
      | lifecycle             | Active |
      | verification.result   | pass   |
      | verification.reason   | match  |
    When "GET /v2/catalog/models/tea" is requested
    Then it names the digest of "weights", and when that was verified

  @B-CAT-037 @B-CAT-038 @B-DP-049 @B-CAT-043
  Scenario: A model is retired
    Given a fresh installation
    When the model "demo" is saved
    And "DELETE /v2/catalog/models/demo" is requested
    Then it is refused with 409 "MODEL_IN_USE", not retriable, and the message "default"
    When the model "demo" is retired with a deadline of 5000 ms
    Then it is accepted
    When the task "a" is posted
    Then it is refused with 409 "MODEL_DEPRECATED", not retriable, and a message
    And the pool "default" comes to be offline and not ready
    When "DELETE /v2/catalog/models/demo" is requested
    Then the answer is 204
