Feature: What cannot be run is refused before it is queued

  A refusal names every offending field, so that a client mends its request in one go, and repeats nothing that it was sent:
  neither a bad id nor a prompt comes back.

  @B-DP-001 @B-ERR-001
  Scenario: A negative context
    When the task "a" is posted with ctx: -1
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and the message "ctx must be >= 0"
    And the refusal names the fields "ctx"

  @B-DP-002 @B-ERR-002
  Scenario Outline: A deadline of <deadline> ms
    When the task "a" is posted with deadline_ms: <deadline>
    Then it is refused with 400 "DEADLINE_UNMET", not retriable, and the message "deadline_ms must be > 0"

    Examples:
      | deadline |
      | 0        |
      | -5       |

  @B-DP-051
  Scenario: A deadline that the measured pace cannot meet
    Given an engine with one slot
    And the task "measured" has completed
    When the endless task "a" is posted with a deadline of 1000 ms
    Then it is refused with 400 "DEADLINE_UNMET", not retriable, and a message

  @B-DP-040
  Scenario: Every offending field is named
    When the task "a" is posted without task_id and session_id, and with:
      | workload    | "poetry"  |
      | engine      | "abacus"  |
      | ctx         | "4096"    |
      | priority    | "urgent"  |
      | max_tokens  | 0         |
      | deadline_ms | 1.5       |
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the refusal names the fields "task_id, session_id, workload, engine, ctx, priority, max_tokens, deadline_ms"

  @B-DP-040
  Scenario Outline: A body that is <what>
    When the body <body> is posted as a task
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message

    Examples:
      | what         | body         |
      | missing      |              |
      | not JSON     | {"task_id":  |
      | a list       | []           |
      | a bare word  | null         |

  @B-DP-041
  Scenario: More context than the pool has
    When the task "a" is posted with ctx: 4097
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and the message "4096"
    And the refusal names the fields "ctx"

  @B-DP-042
  Scenario: More output than this installation allows
    When the task "a" is posted with max_tokens: 50001
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and the message "50000"
    And the refusal names the fields "max_tokens"

  @B-DP-043
  Scenario: Prompt and output together exceed the context
    When the task "a" is posted with max_tokens: 4090
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and the message "4096"
    And the refusal names the fields "max_tokens"

  @B-DP-044
  Scenario: A body of more than 1 MB
    When the task "a" is posted with prompt: 1048577 letters
    Then it is refused with 413 "INVALID_PARAMS", not retriable, and a message

  @B-DP-045
  Scenario Outline: The <field> <what>
    When the task "a" is posted with <field>: <value>
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the refusal names the fields "<field>"
    And the refusal does not repeat <value>

    Examples:
      | field      | what                   | value                |
      | task_id    | leaves its folder      | "../../etc/passwd"   |
      | task_id    | has a blank            | "my task"            |
      | task_id    | is not ASCII           | "aufgäbchen"         |
      | session_id | breaks the line        | "s1\\nlevel=50"       |
      | task_id    | has 129 letters        | 129 letters          |
      | session_id | has 129 letters        | 129 letters          |

  @B-DP-045
  Scenario: An empty id
    When the task "a" is posted with task_id: ""
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the refusal names the fields "task_id"

  @B-DP-046
  Scenario Outline: The model reference <ref> is malformed
    When the task "a" is posted with model_ref: "<ref>"
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the refusal names the fields "model_ref"

    Examples:
      | ref                |
      | hf:                |
      | hf:only-org        |
      | ftp://host/m.gguf  |
      | https://           |
      | s3://bucket        |
      | oci://registry/m   |
      | file:../m.gguf     |

  @B-DP-046 @B-DP-047
  Scenario Outline: The model <ref> is nowhere to be had
    When the task "a" is posted with model_ref: "<ref>"
    Then it is refused with 404 "MODEL_NOT_FOUND", not retriable, and a message

    Examples:
      | ref                                 |
      | no-such-model                       |
      | hf:drover/no-such-model/model.gguf  |
      | file:/no/such/model.gguf            |
      | https://models.invalid/model.gguf   |
      | s3://bucket/no-such-model.gguf      |
      | oci://registry/no-such-model:latest |

  @B-DP-030 @B-ERR-020
  Scenario: A refusal holds the request's own id and nothing of the inside
    When the task "a" is posted with the correlation id "mine-1" and:
      | ctx | -1 |
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and a message
    And the answer has the headers:
      | X-Correlation-Id | mine-1 |
    And the answer holds:
      | correlation_id | mine-1 |
    And the answer tells nothing of the inside

  @B-DP-107 @B-DP-108 @B-DP-208 @B-DP-220
  Scenario Outline: An unknown task cannot be <what>
    When "<request>" is requested
    Then it is refused with 404 "TASK_NOT_FOUND", not retriable, and a message
    And the answer is JSON

    Examples:
      | what      | request                             |
      | read      | GET /v2/tasks/no-such-task          |
      | streamed  | GET /v2/tasks/no-such-task/events   |
      | cancelled | POST /v2/tasks/no-such-task/cancel  |

  @B-ERR-010 @B-ERR-011
  Scenario Outline: "<request>" is no route
    When "<request>" is requested
    Then it is refused with 404 "ROUTE_NOT_FOUND", not retriable, and a message

    Examples:
      | request               |
      | GET /                 |
      | POST /tasks           |
      | GET /v2/tasks         |
      | DELETE /v2/tasks/some |
