Feature: The database may go away

  API and control worker keep the catalogue and the artifacts in a database. Tasks do not need it: while it is away they are
  accepted and run, only what is about the database itself is refused, and what was to be kept is kept later.

  @B-RERR-005 @B-DP-140 @B-CAT-005
  Scenario: PostgreSQL is stopped and started again
    Given a fresh installation on a PostgreSQL
    When the model "tea" is saved
    Then the answer is 201
    When a key for "ci" is made, of the role "client"
    And "GET /v2/pools" is requested with the key of "ci"
    Then the answer is 200
    When PostgreSQL is stopped
    And "GET /v2/pools" is requested with the key of "ci"
    Then the answer is 200
    When "GET /v2/catalog/models/tea" is requested
    Then it is refused with 503 "STORE_UNAVAILABLE", retriable, and a message
    And the answer has the headers:
      | Retry-After | 1 |
    When the task "a" is posted
    Then it is accepted
    And "a" comes to be "completed"
    When PostgreSQL is started again
    Then the catalogue comes to have the model "tea" again
    And "a" comes to have a transcript
