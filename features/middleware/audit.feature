Feature: The audit log tells who did what

  API and node worker write what happened as a chain of entries, each with the hash of the one before it.

  @B-AUDIT-008 @B-AUDIT-001
  Scenario: A task from its start to its end, and the engine that it ran on
    When the task "a" is posted with the correlation id "audited-task"
    Then "a" comes to be "completed"
    And the audit log of the API comes to have under "audited-task" for the task "a":
      | event_type     |
      | task_started   |
      | task_assigned  |
      | task_completed |
    And the audit log of the node has the start of the engine that serves
    And both audit logs are as they were written
