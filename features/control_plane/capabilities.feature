Feature: A client asks what it may ask for

  Nothing is listed that could not be used now: what the nodes report, put together, and worked out again when it changes.

  @B-CP-001 @B-CP-002 @B-CP-003 @B-CP-004 @B-CP-006
  Scenario: What a loaded pool offers
    When "GET /v2/meta/capabilities" is requested
    Then the answer is 200
    And the answer holds:
      | api_version                    | 2.0.0      |
      | engines.0.engine               | llamacpp   |
      | engines.0.ctx_max              | 4096       |
      | engines.0.concurrency          | 4          |
      | engines.0.supported_workloads  | ["completion", "embedding"] |
      | engines.0.models               | ["demo"]   |
      | engines.0.pools                | ["default"] |
    And "GET /v2/meta/capabilities" is answered again with the same body

  @B-CP-007
  Scenario: An engine that is not there yet, and one that is gone
    Given a fresh installation whose pool is not loaded
    When "GET /v2/meta/capabilities" is requested
    Then the answer holds:
      | engines | [] |
    When the pool is preloaded
    Then "GET /v2/meta/capabilities" comes to list the engine "llamacpp"
    When the engine is killed
    Then "GET /v2/meta/capabilities" comes to list no engine

  @B-CP-008
  Scenario: Which build answers
    When "GET /v2/meta/version" is requested
    Then the answer is 200
    And the version is that of the package, built from a commit
