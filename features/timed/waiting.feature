@time-skipping
Feature: Nothing waits for ever

  Minutes and hours are durable timers of Temporal: its time-skipping server passes them in milliseconds. The workflows are
  the real ones; the node behind them is a typed twin in memory, since a real process cannot be hurried.

  @B-PRELOAD-013 @B-PRELOAD-035 @B-DUR-010
  Scenario: An engine that never becomes healthy is given up after two minutes
    Given a node whose engine never becomes healthy
    When its pool is preloaded with the default limit of 120000 ms
    Then the preload fails with the type "HealthTimeout" and the message "health check failed"
    And it took 119 to 130 s by the server's clock
    And the node was asked for its health more than 200 times, in one activity of the history
    And after the last health check the node did "stopEngine" and "markPoolFailed"

  @B-PDUR-004
  Scenario: A preload on a node that is gone is given up after half a minute
    Given a node that nobody hears of
    When its pool is preloaded with the default limit of 120000 ms
    Then the preload fails with the type "POOL_UNAVAILABLE" and the message "is not there"

  Scenario: A task on a node that is gone ends, and says so
    Given a node that nobody hears of
    When a task is run on it
    Then the task fails with the type "WORKER_RESET" and the message "the node of the task is gone"
    And it took 30 to 60 s by the server's clock

  Scenario: A task is followed for an hour, whoever follows it
    Given a node whose worker ends three times while it follows a run, each time for 20 minutes
    When a task is run on it
    Then the task completes with 4000 tokens
    And it took 3600 to 3700 s by the server's clock
    And the run was taken up 4 times, in one activity of the history
