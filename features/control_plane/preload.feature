Feature: An operator loads a pool

  A preload is a workflow: look, start, wait for health, ask for one token, write the handoff, give the pool work. It ends
  with an engine that has proven itself, or with nothing left behind and the reason on record.

  @B-CP-010 @B-CP-011
  Scenario: The health of the pool
    When "GET /v2/pools/default/health" is requested
    Then the answer is 200
    And the answer holds:
      | pool_id  | default  |
      | live     | true     |
      | ready    | true     |
      | draining | false    |
      | engine   | llamacpp |
