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
    When the metrics are read again and again with nothing in between
    Then two readings in a row are the same

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

  @B-OBS-017
  Scenario: A workflow that is replayed counts nothing again
    Given a fresh installation with a slow engine
    And the counters are read
    And a task "a" of 200 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    And "tasks_enqueued_total" has risen by 1
    When the API is killed and another one is started
    And a reader has read the stream of "a" to its end
    And the record of "a" in Temporal says "completed"
    # The new API began to count at nothing, and the admission was the old one's.
    Then "tasks_enqueued_total" has risen by 0
    And "tasks_started_total" has risen by 1
    And "latency_decode_ms_count" has risen by 1
    And "tokens_out_total" has risen by 200

  @B-OBS-017
  Scenario: A run that another node worker goes on with is counted where its facts came about
    Given a fresh installation with a slow engine
    And the counters are read
    And a task "a" of 200 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    And "tasks_started_total" has risen by 1
    When the node worker is killed and started again
    Then the stream of "a" ends with "end"
    And the record of "a" in Temporal says "completed"
    # The new node worker began to count at nothing: the start was the old one's, and the tokens were not counted before the end.
    And "tasks_started_total" has risen by 0
    And "tasks_enqueued_total" has risen by 1
    And "latency_decode_ms_count" has risen by 1
    And "tokens_out_total" has risen by 200
