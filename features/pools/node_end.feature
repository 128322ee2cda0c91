Feature: The end of a node worker is no accident for its engines

  Told to end, a node worker stops its engines or leaves them to the next worker, as it was set. It never just forgets them.

  @B-PROC-024
  Scenario: Engines are stopped with their node worker
    Given a fresh installation whose pool is not loaded
    When an engine with "--fork-child" is preloaded
    And the node worker is told to end
    Then nothing is left of the engine: no process, no pid file, no handoff

  @B-PROC-024 @B-WST-020
  Scenario: Engines are left, and the next node worker adopts them
    Given a fresh installation whose node worker leaves its engines
    And a task "a" of 900 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    And the workflow of "a" comes to wait for the activity "followRun" on the task queue "node:<node>:runs"
    When the node worker is told to end
    And the node worker is started again
    Then it has adopted the engine that ran before
    And the pool "default" is ready
    And the stream of "a" ends with "end"
    And the reader of "a" has got each of the 900 tokens once
