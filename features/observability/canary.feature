@canary
Feature: What a task says stays in the task

  A prompt is the client's, an answer too. They stand in the stream, and sealed in the run log and in Temporal; in no log,
  no metric, no plain part of a history, no failure and no heartbeat. A word that stands nowhere else proves it.

  @B-RED-008 @B-RED-009 @B-SECR-012 @B-OBS-035
  Scenario: A canary in a prompt
    Given an engine with one slot
    And a task "failed" with the prompt "Tell me something endless, canary-7f3a." whose deadline passes in mid-stream
    When its heartbeat stands in Temporal
    Then neither "canary-7f3a" nor "Presently a gate appears" stands in the heartbeat of "failed" as Temporal has it
    And the record of "failed" in Temporal says "failed"
    And the history of "failed" is sealed: no event holds "canary-7f3a" or "Presently a gate appears"
    And no log of the stack holds "canary-7f3a", nor the stack's own key
    And no log of the stack holds "Presently a gate appears", nor the stack's own key
    And no metric of API or node holds "canary-7f3a", nor the stack's own key
