@time-skipping
Feature: An engine that crashes for hours is neither hammered nor given up

  The supervisor of a pool is a workflow that lives as long as the pool, and its waits are durable timers: hours of them
  pass here in milliseconds. The node is a typed twin in memory, whose engines live as long as a scenario says.

  @B-SUPER-011 @B-SUPER-012 @B-DUR-010
  Scenario: Each crash in a row waits twice as long, and none longer than a minute
    Given a supervised pool that no circuit holds, and whose engine crashes 10 times
    When 10 minutes pass
    Then the engine serves, after 10 crashes in a row
    And its restarts waited for "1, 2, 4, 8, 16, 32, 60, 60, 60, 60" seconds

  @B-SUPER-020 @B-SUPER-022 @B-SUPER-025 @B-SUPER-040 @B-DUR-010
  Scenario: Fifty crashes in a row end in an open circuit, and not in a busy loop

    Four restarts, then the circuit opens: for 5 minutes, and twice as long after each test that fails, an hour at most.

    Given a supervised pool whose engine crashes 50 times, each time a second after its start
    When 1 hour passes
    Then the circuit is "open" after 8 crashes in a row
    And the engine was started again 7 times, those after the first 4 at least 5 minutes apart
    When 42 hours pass
    Then the circuit is "open" after 50 crashes in a row
    And the engine was started again 49 times, those after the first 8 at least 60 minutes apart

  @B-SUPER-014 @B-SUPER-031
  Scenario: What has served for long is forgiven
    Given a supervised pool whose engine crashes 3 times, and once more after 700 seconds of service
    When 1 minute passes
    Then the engine serves, after 3 crashes in a row
    When 5 minutes pass
    Then the engine serves, after 0 crashes in a row
    When 5 minutes pass
    Then the engine serves, and no restart counts any more
    When 2 minutes pass
    Then the engine serves, after 1 crash in a row
    And its restarts waited for "1, 2, 4, 1" seconds

  Scenario: An operator who has mended the cause waits for nothing
    Given a supervised pool whose engine crashes 5 times, each time a second after its start
    When 1 minute passes
    Then the circuit is "open" after 5 crashes in a row
    When the operator resets the circuit of the pool
    Then the circuit is "closed" after 0 crashes in a row
    And the engine serves, after 0 crashes in a row
    And the engine was started again 5 times
