Feature: Each process tells Prometheus what it did

  `GET /metrics` of the API and of the node worker announce the contract's metrics from the start. Each fact is counted by
  the one process that owns it; reading counts nothing.

  @B-OBS-001 @B-OBS-007
  Scenario: Prometheus' text format
    When "GET /metrics" is requested without a key
    Then the answer is 200
    And the answer is Prometheus text of the version 0.0.4

  @B-OBS-002 @B-OBS-003 @B-OBS-004 @B-OBS-005
  Scenario: A process without traffic announces what it will count
    Given a fresh installation whose pool is not loaded
    When "GET /metrics" is requested without a key
    Then each of these is announced with TYPE and HELP:
      | counter   | tasks_enqueued_total tasks_started_total tasks_canceled_total tasks_rejected_total tokens_in_total tokens_out_total admission_backpressure_events_total catalog_verifications_total |
      | gauge     | queue_depth kv_cache_usage_ratio gpu_utilization vram_used_bytes model_state |
      | histogram | latency_first_token_ms latency_decode_ms |
    And every series belongs to an announced metric

  @B-OBS-008
  Scenario: Reading changes nothing
    When the metrics are read twice with nothing in between
    Then the contract's metrics are the same both times

  @B-OBS-016
  Scenario: No fact is counted by two processes
    Given the counters are read
    When the task "a" about the "sea" is posted
    And a reader has read the stream of "a" to its end
    Then each of these has risen in one process only: "tasks_enqueued_total", "tasks_started_total", "tokens_out_total", "latency_decode_ms_count"

  @B-OBS-014 @B-OBS-015
  Scenario: Tasks at once are all counted, under real labels
    Given the counters are read
    When 12 tasks of 5 tokens are posted at once and complete
    Then "tasks_started_total" has risen by 12 for:
      | engine     | llamacpp  |
      | pool_id    | default   |
      | replica_id | r0        |
      | priority   | interactive |
    And "tokens_out_total" has risen by 60 for:
      | engine         | llamacpp           |
      | engine_version | <engine_version> |
