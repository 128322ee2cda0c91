Feature: Nodes fetch models from elsewhere

  A model is a reference until a node has its files. Fetching it is a workflow: who wants the same model shares it, what is
  there outlives whoever fetched it, and nothing is a model before its digest is right.

  @B-DL-001 @B-DL-003 @B-DL-004 @B-MODEL-010 @B-MODEL-004
  Scenario: Two who want a model share one download, and see it grow
    Given a fresh installation that fetches its models from a hub
    And the hub has "hf:org/repo/tea.bin", which takes 5 seconds
    When "hf:org/repo/tea.bin" is asked for, and somebody watches
    And "org/repo/tea.bin" is asked for, and somebody watches
    Then both are the same download, and both have seen it grow until it was complete
    And the hub was asked once, with the token of the node
    And the model stands in the cache as the hub has it
    And the catalogue has it with its digest and size, as verified
    When "hf:org/repo/tea.bin" is asked for, and somebody watches
    Then it is complete at once, and the hub was asked once

  @B-MODEL-012 @B-DL-010 @B-PDUR-002
  Scenario: A node worker dies in the middle, and the next one goes on where it was
    Given a fresh installation that fetches its models from a hub
    And the hub has "hf:org/repo/tea.bin", which takes 3 seconds
    When "hf:org/repo/tea.bin" is asked for, and somebody watches
    And a third of it is there
    And the node worker is killed and started again
    Then the download comes to be "completed"
    And the hub was asked for the rest alone
    And the model stands in the cache as the hub has it

  @B-DL-005 @B-DL-008
  Scenario: An operator pauses a download, goes on with it, and thinks better of it
    Given a fresh installation that fetches its models from a hub
    And the hub has "hf:org/repo/tea.bin", which takes 3 seconds
    When "hf:org/repo/tea.bin" is asked for, and somebody watches
    And a third of it is there
    And an operator would "pause" it
    Then the download comes to be "paused"
    When an operator would "resume" it
    Then the download comes to be "running"
    When an operator would "cancel" it
    Then the download comes to be "cancelled"
    And the watcher was told "CANCELLED" at last
    And nothing of it is left in the cache

  @B-MODEL-014 @B-MODEL-015 @B-MODEL-016
  Scenario: What cannot be fetched says why
    Given a fresh installation that fetches its models from a hub
    When "hf:org/repo/none.bin" is asked for, and somebody watches
    Then the watcher was told "MODEL_NOT_FOUND" at last
    And the hub was asked 1 times
    When the hub has "hf:org/repo/tea.bin", and sends something else
    And "hf:org/repo/tea.bin" is asked for, and somebody watches
    Then the watcher was told "MODEL_CORRUPTED" at last
    And the hub was asked 7 times
    And nothing of it is left in the cache

  @B-RELOAD-002 @B-CP-030
  Scenario: A pool is reloaded with a model that is not there yet
    Given a fresh installation that fetches its models from a hub
    And the pool is preloaded
    And the hub has the demo model as "hf:org/repo/tea.gguf"
    When the pool is reloaded with "hf:org/repo/tea.gguf"
    Then the answer is 200
    And the pool serves "hf:org/repo/tea.gguf"
    And the task "a" is posted with model_ref: "hf:org/repo/tea.gguf"
    And "a" comes to be "completed"
    And the hub was asked 1 times
    When the pool is reloaded with "hf:org/repo/none.gguf"
    Then it is refused with 409 "RELOAD_FAILED", not retriable, and the message "there is no such model"
    And the pool serves "hf:org/repo/tea.gguf"

  @apart @B-MODEL-012 @B-DP-046
  Scenario: A model comes from a bucket
    Given a fresh installation that keeps its artifacts in a bucket
    And its bucket has "s3://kept/models/tea.bin"
    When "s3://kept/models/tea.bin" is asked for, and somebody watches
    Then the download comes to be "completed"
    And the model stands in the cache as the hub has it
    And the catalogue has it with its digest and size, as verified
