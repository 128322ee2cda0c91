Feature: An installation is operated from a terminal

  Pools, tasks and keys are shown and changed by the same routes that programs use. Operations are followed step by step.

  @B-CLI-011 @B-CLI-012
  Scenario: How pools stand
    When `drover ps` is run
    Then it ends with 0
    And it has said nothing but data
    And it has printed lines like:
      | ^POOL +MODEL +ENGINE         |
      | ^default +demo +llamacpp .*ready |
    When `drover pools list --json` is run
    Then its data hold:
      | pools.0.pool_id | default |
      | pools.0.ready   | true    |
    When `drover ls` is run
    Then it has printed lines like:
      | ^demo +served +default |
    When `drover doctor` is run
    Then it ends with 0
    And it has printed lines like:
      | ^ok +key      |
      | ^ok +temporal |
      | ^ok +pools +default: ready |

  @B-EXIT-001 @B-EXIT-002
  Scenario: An unknown pool is drained
    When `drover stop nobody` is run
    Then it ends with 1
    And its error is "POOL_NOT_FOUND"
    And it names a next step, and a correlation id

  @B-CLI-011 @B-WFH-008
  Scenario: Tasks are submitted, watched and cancelled
    Given an engine with one slot
    When the task "sea" is posted
    And `drover tasks attach <sea>` is run
    Then it ends with 0
    And it has printed the text of "sea"
    When `drover tasks get <sea>` is run
    Then it has printed lines like:
      | ^state +completed                                            |
      | ^place +\S+ / default / r0                                   |
      | ^admission +at position 0, a start in \d+ ms was expected    |
      | ^started +\S+, after \d+ ms in the queue                     |
      | ^first token +\S+, after \d+ ms on its slot                  |
      | ^ended +\S+, after \d+ ms in all                             |
      | ^tokens out +\d+                                             |
      | ^workflow +task:                                             |
    When `drover tasks submit demo 'Tell me something endless.' --max-tokens 3800 --id cli-endless --json` is run
    Then its data hold:
      | task_id | cli-endless |
    When `drover tasks cancel cli-endless` is run
    Then it ends with 0
    When `drover tasks get cli-endless --json` is run
    Then its data hold:
      | state       | cancelled |
      | error.code  | CANCELLED |
    When `drover tasks events cli-endless` is run
    Then it ends with 1
    And its error is "CANCELLED"
    And it has printed lines like:
      | ^ +0 +started |
      | error .*CANCELLED |

  @B-CLI-011 @B-EXIT-001
  Scenario: Keys are made and taken away
    When `drover keys create --name cli --json` is run
    Then it ends with 0
    And its data are kept: "key" as <client>, "id" as <client-id>
    When `drover pools list` is run with the key "<client>"
    Then it ends with 0
    When `drover stop default` is run with the key "<client>"
    Then it ends with 1
    And its error is "FORBIDDEN_ROLE"
    When `drover keys revoke <client-id>` is run
    Then it ends with 0
    When `drover doctor` is run with the key "<client>"
    Then it ends with 1
    And it has printed lines like:
      | ^FAIL +key +.*BAD_API_KEY |
      | next: .*DROVER_API_KEY    |

  @B-CLI-011 @B-WFH-008
  Scenario: A pool is loaded, and drained
    Given a fresh installation whose pool is not loaded
    And the pool's launch description is in the file <launch>
    When `drover pools preload <launch> --follow` is run
    Then it ends with 0
    And it has told the steps of a preload
    And it has printed "default is ready"
    When `drover stop default` is run
    Then it ends with 0
    And it has told the steps of a drain
    When `drover pools get default --json` is run
    Then its data hold:
      | state | offline |
    When `drover pools get default` is run
    Then it has printed lines like:
      | ^state +offline                                   |
      | preload +.* \(\d+ ms\)                            |
      | preload +completed: .*pid=\d+                     |
      | drain +.* \(\d+ ms\)                              |
      | drain +completed: .*force_stopped=false           |
    When `drover logs` is run
    Then it has printed lines like:
      | preload +completed |
      | drain +completed   |
