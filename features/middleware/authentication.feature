Feature: Only who has a key is served

  `X-API-Key` and `Authorization: Bearer` are two ways to show the same keys. All routes ask for one, also those that do not
  exist, except health, readiness and metrics.

  @B-MW-011 @B-MW-014 @B-AUTH-011 @B-AUTH-014
  Scenario Outline: <request> without a key
    When "<request>" is requested without a key and the correlation id "nobody-1"
    Then it is refused with 401 "MISSING_TOKEN", not retriable, and a message
    And the answer has the headers:
      | X-Correlation-Id | nobody-1 |
      | WWW-Authenticate | Bearer   |
    And the answer holds:
      | auth_code | 40101 |

    Examples:
      | request                        |
      | POST /v2/tasks                 |
      | GET /v2/tasks/some             |
      | GET /v2/tasks/some/events      |
      | POST /v2/tasks/some/cancel     |
      | GET /v2/pools                  |
      | GET /v2/pools/default/health   |
      | POST /v2/pools/default/preload |
      | GET /v2/no-such-route          |

  @B-MW-012 @B-MW-014
  Scenario: A wrong X-API-Key
    When "GET /v2/pools" is requested with a wrong key and the correlation id "wrong-1"
    Then it is refused with 403 "BAD_API_KEY", not retriable, and a message
    And the answer has the headers:
      | X-Correlation-Id | wrong-1 |

  @B-MW-020 @B-AUTH-011
  Scenario: A wrong bearer token
    When "GET /v2/pools" is requested with a wrong bearer and the correlation id "wrong-2"
    Then it is refused with 401 "BAD_TOKEN", not retriable, and a message
    And the answer holds:
      | auth_code | 40102 |
    And the answer has the headers:
      | X-Correlation-Id | wrong-2 |

  @B-MW-013 @B-MW-020 @B-AUTH-001
  Scenario Outline: The right key, <how>
    When "GET /v2/pools" is requested <how>
    Then the answer is 200

    Examples:
      | how             |
      | with the key    |
      | with the bearer |

  @B-AUTH-013
  Scenario Outline: The header "<header>" <verdict>

    Exactly `Bearer`, one or more blanks, a token: what only looks like it is no key.

    When "GET /v2/pools" is requested with the authorization "<header>"
    Then the answer is <status>

    Examples:
      | header            | verdict       | status |
      | Bearer <key>      | is understood | 200    |
      | Bearer    <key>   | is understood | 200    |
      | bearer <key>      | is no key     | 401    |
      | BEARER <key>      | is no key     | 401    |
      | Basic <key>       | is no key     | 401    |
      | Bearer            | is no key     | 401    |
      | <key>             | is no key     | 401    |

  @B-MW-010 @B-AUTH-015 @B-OBS-009
  Scenario Outline: <path> needs no key
    When "GET <path>" is requested without a key
    Then the answer is 200

    Examples:
      | path     |
      | /health  |
      | /healthz |
      | /readyz  |
      | /metrics |

  @B-AUTH-008 @B-AUTH-009
  Scenario: Logs know a key by its fingerprint alone
    When "GET /v2/pools" is requested with the key "not-the-right-key" and the correlation id "finger-1"
    Then it is refused with 403 "BAD_API_KEY", not retriable, and a message
    And the API has logged "auth_failed" at the level "warn" for the identity "token:3751ad", with the path "/v2/pools"
    When the task "a" is posted
    Then the API has logged the admission of "a" for the fingerprint of the stack's own key
    And no log of the stack holds "not-the-right-key", nor the stack's own key

  @B-AUTH-017
  Scenario: A hundred callers at once
    When 50 requests with the key and 50 with wrong keys are sent at the same moment
    Then the 50 with the key are answered with 200, the others with 403

  @B-AUTH-002 @B-AUTH-003
  Scenario Outline: Beyond this machine <what> keeps the API from starting
    When an API is started on "0.0.0.0" with the keys "<keys>"
    Then it ends with exit code 1 and a line that names "DROVER_API_KEYS"

    Examples:
      | what                             | keys            |
      | no key                           |                 |
      | a key of less than 16 characters | fifteen-letters |
