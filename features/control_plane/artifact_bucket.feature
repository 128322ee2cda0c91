Feature: Artifacts may be kept in a bucket

  With `DROVER_ARTIFACT_DIR=s3://…` content is kept by whatever speaks S3's protocol, sealed as everywhere; the database
  has what is known of it.

  @apart @B-ART-001 @B-ART-010 @B-ART-012
  Scenario: A document is an object
    Given a fresh installation that keeps its artifacts in a bucket
    When the artifact {"title": "tea", "kind": "summary", "steps": [1, {"b": null, "a": "ü"}]} is stored
    Then the answer is 201 with the id of its canonical JSON
    And it is the only object of the bucket, and sealed
    When a second API is started
    Then the artifact is read there as it was posted
    When a control worker is started that forgets at once
    Then the bucket comes to be empty

  @apart @B-DP-140 @B-RERR-005
  Scenario: The bucket goes away and comes back
    Given a fresh installation that keeps its artifacts in a bucket
    When the S3 server is stopped
    And the artifact {"title": "tea", "kind": "summary"} is stored
    Then it is refused with 503 "STORE_UNAVAILABLE", retriable, and a message
    When the task "a" is posted
    Then it is accepted
    And "a" comes to be "completed"
    When the S3 server is started again
    Then "a" comes to have a transcript

  @apart @B-OBS-052
  Scenario: A bucket that is not there stops the start
    Given a fresh installation that keeps its artifacts in a bucket
    When an API is started whose artifacts shall stand in "s3://nowhere/at/all"
    Then it ends with exit code 1 and a line that names "DROVER_ARTIFACT_DIR"
    And the line says "there is no such bucket"
