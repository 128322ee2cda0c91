@apart
Feature: A node that is cut off never writes a stream beside another, and its tasks go on

  A node without word of Temporal for 15 s stops its tasks; when nobody has polled for the node for over 30 s, each of its
  tasks goes to another node in a new epoch. These scenarios run on hosts of their own (`npm run test:engines`).

  @B-DUR-003 @B-DUR-009
  Scenario: The node loses Temporal, and the API still reaches it
    Given a fresh installation with a far node, which has the larger pool
    And an endless task "a" of 3000 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    And "a" is on the far node
    When the far node loses Temporal
    Then sooner or later the stream of "a" ends with "end"
    And the far node has stopped "a", and says so
    And the far node never goes on with "a"
    And "a" is on the near node
    And the reader of "a" has got each of the 3000 tokens once
    And it has got the text of an undisturbed run

  @B-DUR-003
  Scenario: The node loses everything, with one task read and one that nobody reads
    Given a fresh installation with a far node, which has the larger pool
    And an endless task "read" of 2000 tokens is posted
    And an endless task "unread" of 2000 tokens is posted
    And a reader opens the stream of "read"
    And the reader of "read" gets 20 tokens
    And "unread" is on the far node
    When the far node loses everything
    Then sooner or later the stream of "read" ends with "end"
    And the reader of "read" has got each of the 2000 tokens once
    And it has got the text of an undisturbed run
    And sooner or later "unread" is completed on the near node
    When a reader has read the stream of "unread" to its end
    Then it has got the text of an undisturbed run
    When the far node has everything again
    Then the far node takes tasks again
    And the far node never goes on with "read"

  @B-DUR-003
  Scenario: The API loses the node for a while, and nothing moves
    Given a fresh installation with a far node, which has the larger pool
    And an endless task "a" of 3000 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When the far node loses the API
    And it stays so for 20 s
    And the far node has the API again
    Then sooner or later the stream of "a" ends with "end"
    And "a" is on the far node
    And the reader of "a" has got each of the 3000 tokens once
    And it has got the text of an undisturbed run
