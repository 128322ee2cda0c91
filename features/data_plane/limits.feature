Feature: No task holds a slot for ever

  Beside its deadline, which counts from admission, a task has a limit for its execution: its own `wall_ms`, else that of its
  pool, else `DROVER_RUN_LIMIT_MS`. A client gets neither extended by a header.

  @B-DP-183 @B-DP-184 @B-DP-187
  Scenario: A run that takes longer than it may is broken off
    Given an engine with one slot
    And the counters are read
    And an endless task "long" is posted that may run for 900 ms
    When a reader opens the stream of "long"
    Then the stream of "long" ends with the error "DECODE_TIMEOUT", retriable, and nothing after it
    And the error of "long" says the stage "execution" and the limit of 900 ms
    And "tasks_canceled_total" has risen by 1 for:
      | reason | watchdog |
    When the task "next" is posted
    Then "next" comes to be "completed"

  @B-DP-181 @B-DP-188
  Scenario: A header extends no deadline
    Given an engine with one slot
    And an endless task "late" with a deadline that passes in mid-stream, and a header that asks for more
    When a reader opens the stream of "late"
    Then the stream of "late" ends with the error "DECODE_TIMEOUT", retriable, and nothing after it
    And the error of "late" says the stage "execution" and the limit of 2000 ms
