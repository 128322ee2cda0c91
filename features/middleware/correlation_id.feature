Feature: One id follows a request

  Who sends an `X-Correlation-Id` finds it on the answer, in the logs, in the workflow and in the stream; who sends none is
  given one of their own.

  @B-MW-001
  Scenario: A client's own id comes back
    When "GET /v2/pools" is requested with the correlation id "test-123"
    Then the answer is 200 with the correlation id "test-123"

  @B-MW-002 @B-MW-006
  Scenario: Without an id each request is given one
    When "GET /v2/pools" is requested 3 times without a correlation id
    Then each answer has a UUIDv4 of its own as correlation id

  @B-MW-004 @B-MW-014 @B-DP-030
  Scenario Outline: Every kind of answer has it: <what>
    When "<request>" is requested <how> and the correlation id "kind-1"
    Then the answer is <status> with the correlation id "kind-1"

    Examples:
      | what             | request                         | how                 | status |
      | success          | GET /v2/pools                   | with the key        | 200    |
      | no key           | GET /v2/pools                   | without a key       | 401    |
      | wrong key        | GET /v2/pools                   | with a wrong key    | 403    |
      | wrong bearer     | GET /v2/pools                   | with a wrong bearer | 401    |
      | unknown task     | GET /v2/tasks/nobody            | with the key        | 404    |
      | unknown route    | GET /v2/nothing                 | with the key        | 404    |
      | bad request      | POST /v2/tasks                  | with the key        | 400    |
      | health           | GET /healthz                    | without a key       | 200    |
      | readiness        | GET /readyz                     | without a key       | 200    |
      | metrics          | GET /metrics                    | without a key       | 200    |

  @B-MW-004 @B-DP-100 @B-DP-101
  Scenario: A cancel and a stream have it too
    Given the task "a" has completed
    When a reader opens the stream of "a" with the correlation id "stream-1"
    Then the stream of "a" has the status 200 and the headers:
      | X-Correlation-Id | stream-1 |
    When "POST /v2/tasks/<a>/cancel" is requested with the key and the correlation id "cancel-1"
    Then the answer is 204 with the correlation id "cancel-1"

  @B-MW-005 @B-COR-008
  Scenario Outline: An id that is <what> is replaced
    When "GET /v2/pools" is requested with a correlation id of <id>
    Then the answer is 200 with a UUIDv4 as correlation id
    And no log holds what was sent

    Examples:
      | what                     | id            |
      | longer than 128          | 129 letters   |
      | broken by a control code | two tabs      |

  @B-MW-003 @B-MW-007 @B-COR-003
  Scenario: One id leads through API, node, Temporal and stream
    When the task "a" is posted with the correlation id "thread-7"
    And a reader has read the stream of "a" to its end
    Then the first frame of "a" is "started" with:
      | correlation_id | thread-7 |
    And the logs of the API and the node have lines about "a" with "thread-7"
    And a search in Temporal for CorrelationId "thread-7" finds the workflow of "a" alone
    And the memo of "a", opened, holds the correlation id "thread-7"

  @B-OBS-040 @B-COR-004
  Scenario: An operator follows one id through the logs of all processes
    Given a fresh installation whose pool is not loaded
    When the pool is preloaded with the correlation id "load-1"
    Then each of these has logged with the correlation id "load-1":
      | process | event          | beside             |
      | control | preload_step   | workflowId, runId  |
      | node    | engine_spawned | pool_id, pid       |
      | node    | pool_ready     | pool_id, pid       |
    When the task "a" is posted with the correlation id "thread-8"
    And a reader has read the stream of "a" to its end
    Then each of these has logged with the correlation id "thread-8":
      | process | event        | beside              |
      | api     | admitted     | task_id, node_id    |
      | node    | run_ended    | task_id, tokens_out |
      | api     | task_settled | workflowId, runId   |

  @B-COR-005
  Scenario: Two requests at once keep their ids apart
    When 20 requests are sent at the same moment, each with an id of its own
    Then each answer has the id of its own request
