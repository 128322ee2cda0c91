Feature: A client's tasks have a session

  Tasks that name the same `session_id` share their turns, their time to live and their budgets. A session holds figures
  alone, in the database: every API sees the same ones.

  @B-SS-001 @B-SS-005 @B-SS-010 @B-SS-011 @B-SS-012
  Scenario: A session is made by looking at it, and forgotten on demand
    When "GET /v2/sessions/looked-at" is requested
    Then the answer is 200
    And the answer holds:
      | ttl_ms_remaining         | 600000 |
      | turns                    | 0      |
      | kv_bytes                 | 0      |
      | kv_warmth                | false  |
      | tokens_budget_remaining  | null   |
      | time_budget_remaining_ms | 600000 |
      | cost_budget_remaining    | null   |
    When "DELETE /v2/sessions/looked-at" is requested
    Then the answer is 204 without a body, with a correlation id
    When "GET /v2/sessions/looked-at?create=false" is requested
    Then it is refused with 404 "SESSION_NOT_FOUND", not retriable, and a message
    When "DELETE /v2/sessions/looked-at" is requested
    Then the answer is 204 without a body, with a correlation id

  @B-SS-022 @B-SS-023 @B-SS-025 @B-SS-027
  Scenario: Tasks take turns until there are none left, whichever API they ask
    When the task "first" is posted with session_id: "of-eight"
    And a reader has read the stream of "first" to its end
    Then the session "of-eight" comes to be warm, with 1 turn
    When another API is started
    And 7 tasks of the session "of-eight" are posted
    And the task "ninth" is posted with session_id: "of-eight"
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the session "of-eight" comes to be warm, with 8 turns

  @B-SS-023 @B-DP-093
  Scenario: A session is charged once, whatever dies meanwhile
    Given a fresh installation with a slow engine
    When the task "a" is posted with:
      | session_id | kept                       |
      | prompt     | Tell me something endless. |
      | max_tokens | 400                        |
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    And the node worker is killed and started again
    And the reader of "a" gets 20 more tokens
    And the API is killed and another one is started
    And a reader has read the stream of "a" to its end
    Then the session "kept" comes to be charged the decode time of "a" once, for 1 turn
