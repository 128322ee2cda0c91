Feature: Operators keep a registry of nodes

  What is registered of a node is how SSH reaches it, and where Drover is on it. A node is entered once it was reached: with
  the key that was named, and by a host key that was known before. The key itself never leaves its file.

  @B-NODE-001 @B-NODE-002 @B-NODE-009 @B-NODE-013 @B-NODE-016
  Scenario: A node is added, looked up, and outlives the API
    Given an engine with one slot
    And a machine with an SSH server whose host key is known
    When it is added as the node "tea-1"
    Then the answer is 200
    And the answer holds:
      | success   | true  |
      | node_name | tea-1 |
    And the history of "node:tea-1:add" tells these steps in order: "visitNode, enterNode"
    When the API is killed and another one is started
    And "GET /v2/registry/beehives/tea-1" is requested
    Then it tells how SSH reaches the machine, that it is reachable and was contacted just now
    And the answer holds:
      | git_branch | main |
    And neither the answer nor any log of the stack holds the key

  @B-NODE-003 @B-NODE-004 @B-SSH-006 @B-SSH-007 @C-162
  Scenario Outline: A node that is not reached is not entered: <why>
    Given an engine with one slot
    And a machine with an SSH server <which>
    When it is added as the node "milk-<number>" with <how> key
    Then it is refused with <status> "<code>", not retriable, and the message "<advice>"
    And the answer tells nothing of the inside
    And the answer holds:
      | details.node_name | milk-<number> |
      | details.reason    | <reason>      |
      | details.attempts  | <attempts>    |
    When "GET /v2/registry/beehives/milk-<number>" is requested
    Then it is refused with 404 "NODE_NOT_FOUND_IN_REGISTRY", not retriable, and a message

    Examples:
      | number | why                          | which                             | how     | reason             | attempts | status | code                  | advice      |
      | 1      | its host key is not known    | whose host key is not known       | its own | host_key_unknown   | 1        | 502    | SSH_CONNECTION_FAILED | ssh-keyscan |
      | 2      | its host key is another one  | whose host key was another before | its own | host_key_changed   | 1        | 502    | SSH_CONNECTION_FAILED | ssh-keygen  |
      | 3      | it refuses the key           | whose host key is known           | another | key_refused        | 1        | 502    | SSH_CONNECTION_FAILED | chmod 600   |
      | 4      | nobody listens there, thrice | that has been stopped             | its own | connection_refused | 3        | 502    | SSH_CONNECTION_FAILED | SSH server  |

  @B-NODE-006 @B-NODE-008 @B-NODE-010 @B-NODE-015 @C-161
  Scenario: A node is changed, checked and removed
    Given an engine with one slot
    And a machine with an SSH server whose host key is known
    When it is added as the node "rice-1"
    Then the answer is 200
    When it is added as the node "rice-1"
    Then it is refused with 409 "DUPLICATE_NODE", not retriable, and the message "remove"
    When the node "rice-1" gets another key
    Then the answer holds:
      | status | unknown |
    When "POST /v2/registry/beehives/rice-1/check" is requested
    Then it is refused with 502 "SSH_CONNECTION_FAILED", not retriable, and the message "chmod 600"
    When "GET /v2/registry/beehives/rice-1" is requested
    Then the answer holds:
      | status | offline |
    When the node "rice-1" gets its own key
    And "POST /v2/registry/beehives/rice-1/check" is requested
    Then the answer is 200
    And "rice-1" is listed as reachable, among names in their order
    When the node "rice-1" is removed
    Then the answer is 200
    When the node "rice-1" is removed
    Then it is refused with 404 "NODE_NOT_FOUND_IN_REGISTRY", not retriable, and a message

  @B-NODE-018
  Scenario: A node with a pool is removed once the pool is drained
    Given a fresh installation
    And a machine with an SSH server whose host key is known
    When it is added as the node "<node>"
    Then the answer is 200
    When the node "<node>" is removed
    Then it is refused with 409 "NODE_IN_USE", not retriable, and a message
    When the node "<node>" is removed by force
    Then the answer is 200
    And the pool "default" comes to be offline and not ready

  @B-SSH-009 @B-CLI-003 @B-NAPI-002
  Scenario: Drover is installed on a machine, which then serves
    Given a fresh installation
    And a machine with an SSH server whose host key is known
    And a repository whose build makes a node worker
    When it is added as the node "mint-1"
    Then the answer is 200
    When `drover nodes install mint-1 --api-url <api> --port <port>` is run
    Then it ends with 0
    And it has told the steps of an installation
    And the node "mint-1" is online
    When the pool "herb" is preloaded on the node that has none
    And the task "a" is posted with placement: {"mode":"pin","pin_pool_id":"herb"}
    Then "a" completes on the node "mint-1"
    When `drover setup install --node mint-1 --api-url <api> --port <port> --json` is run
    Then its data hold:
      | worker | kept |
    When `drover nodes install nobody` is run
    Then it ends with 1
    And its error is "NODE_NOT_FOUND_IN_REGISTRY"
    And it names a next step, and a correlation id
