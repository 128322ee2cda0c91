Feature: An engine that somebody else started is bound by its handoff

  Whoever starts an engine beside Drover writes a file into the folder of the handoffs. The node looks there again and
  again: an engine that answers its health and generates a token gets work, and one that is gone gets none.

  @B-BG-001 @B-BG-008 @B-BG-011 @B-REG-100 @B-REG-101
  Scenario: An engine is announced, serves, and goes
    Given a fresh installation whose pool is not loaded
    When an engine of somebody else is announced for the pool "others" with the version "b77" and the model "theirs"
    Then the pool "others" comes to be ready with the version "b77" at that engine
    And the node has told the binding of "others" as "autobind", with its replica and its url
    When the API comes to show the pool "others" as ready
    And the task "a" is posted with model_ref: "theirs"
    Then "a" comes to be "completed"
    When that engine is ended and its handoff removed
    Then the pool "others" comes to be "failed", not ready, and its last error has "does not answer"

  @B-COR-006 @B-NARR-005 @B-NARR-006
  Scenario: What a watcher finds is told under an id of its own, and by whom and when
    Given a fresh installation whose pool is not loaded
    When an engine of somebody else is announced for the pool "others" with the version "b77" and the model "theirs"
    Then the pool "others" comes to be ready with the version "b77" at that engine
    When that engine is ended and its handoff removed
    Then the pool "others" comes to be "failed", not ready, and its last error has "does not answer"
    And what the node has told of "others" has two ids, which are no request's
    And each of these says that "drover-node" emitted it, and when, in their order

  @B-BG-013 @B-BG-014 @B-BG-019 @B-BG-025
  Scenario: Handoffs that nobody can use hold up no others
    Given a fresh installation whose pool is not loaded
    When these handoffs are written:
      | half.json     | {"url": "http://127.0.                          |
      | nameless.json | {"url": "http://127.0.0.1:9"}                   |
      | foreign.json  | {"url": "http://192.0.2.1:9", "pool_id": "far"} |
    And an engine of somebody else is announced for the pool "others" with the version "b77" and the model "theirs"
    Then the pool "others" comes to be ready with the version "b77" at that engine
    And the node has warned once of each of "half.json, nameless.json, foreign.json"
    And the node has counted the handoffs that came to be:
      | bound   | 1 |
      | invalid | 2 |
      | refused | 1 |

  @B-CP-058 @B-CP-060
  Scenario: An engine registers over the API
    Given a fresh installation whose pool is not loaded
    When an engine of somebody else runs
    And it registers for the pool "others" with the version "b78" and the model "theirs"
    Then it is registered and bound
    And the pool "others" comes to be ready with the version "b78" at that engine
    When the task "a" is posted with model_ref: "theirs"
    Then "a" comes to be "completed"
