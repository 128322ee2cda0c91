Feature: Keys are given to people and programs, and taken away

  The keys of the settings are operators'. They make others, with a role and a name; of each Drover keeps a digest alone.

  Scenario: A client's key, from the first request to the last
    When a key for "ci" is made, of the role "client"
    Then the answer is 201
    When "GET /v2/pools" is requested with the key of "ci"
    Then the answer is 200
    When "POST /v2/pools/default/drain" is requested with the key of "ci"
    Then it is refused with 403 "FORBIDDEN_ROLE", not retriable, and a message
    When the key of "ci" is revoked
    And "GET /v2/pools" is requested with the key of "ci"
    Then it is refused with 403 "BAD_API_KEY", not retriable, and a message
    And no log of the stack holds the key of "ci"

  @B-SECR-008
  Scenario: The file of keys is changed while the API runs
    Given a second API, whose keys stand in a file that holds "the-first-key-of-a-file"
    When the file comes to hold "the-second-key-of-a-file", and the API is told so
    Then "GET /v2/pools" is answered with 200 to the bearer "the-second-key-of-a-file"
    And "GET /v2/pools" is answered with 401 to the bearer "the-first-key-of-a-file"
    When the file comes to hold "two lines\nof keys", and the API is told so
    Then "GET /v2/pools" is answered with 200 to the bearer "the-second-key-of-a-file"
    And no log of the stack holds "key-of-a-file", nor the stack's own key
