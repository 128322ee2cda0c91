Feature: Documents are kept by what they say

  An artifact is a JSON document whose id is the digest of its content. The transcript of every task is one: whatever
  its readers saw is kept, in order, after the task has ended.

  @B-ART-002 @B-ART-003 @B-ART-004 @B-ART-012 @B-ART-023
  Scenario: A document is stored at one API and read at another
    When the artifact {"title": "tea", "kind": "summary", "steps": [1, {"b": null, "a": "ü"}]} is stored
    Then the answer is 201 with the id of its canonical JSON
    When a second API is started
    Then the artifact is read there as it was posted
    When the artifact {"kind": "summary", "steps": [1, {"a": "ü", "b": null}], "title": "tea"} is stored
    Then the answer is 201 with the same id as before

  @B-DP-140 @B-DP-141 @B-STR-030 @B-STR-031 @B-STR-033
  Scenario: A completed task leaves its transcript
    When the task "a" is posted
    And a reader has read the stream of "a" to its end
    Then "a" comes to have a transcript
    And its events are the frames of "a", each with type and data, in order
    And there are "started", "token", "metrics" and "end" among them

  @B-DP-148 @B-STR-032
  Scenario: A task that was broken off leaves what there was of it, and why
    Given an engine with one slot
    And the endless task "a" is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When "a" is cancelled
    Then the stream of "a" ends with the error "CANCELLED", not retriable, and nothing after it
    And "a" comes to have a transcript
    And its events are the frames of "a", each with type and data, in order
    And its id is the SHA-256 of its canonical JSON

  @B-DP-140
  Scenario: No API is there when a task ends
    Given an engine with one slot
    And a task "a" of 60 tokens is posted
    When the API is killed
    And the run of "a" has ended on its node
    And another API is started
    Then "a" comes to have a transcript
    And it has 60 tokens
