Feature: The pools that shall serve stand in a file

  Operators who keep what runs under version control write the pools down. Each API reads the file whole; it changes what differs
  by the same durable operations that an operator has, and nothing else.

  @B-OBS-050 @B-OBS-051 @B-OBS-053
  Scenario: A changed pool is reloaded while its stream goes on, and a file with a mistake changes nothing
    Given a fresh installation whose pool stands in a configuration file, with a slow engine
    And the API's log comes to have "config_load" with "pools.yaml"
    And the API's log comes to have "config_override" with "912"
    And a task "a" of 300 tokens is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 20 tokens
    When the configuration file comes to have a mistake in line 5, and the API gets SIGHUP
    Then the API's log comes to have "config_refused" with "line 5"
    When the configuration file comes to ask for the version "second", and the API gets SIGHUP
    And the pool comes to serve the version "second"
    Then the reader of "a" has got each of the 300 tokens once
    When the configuration file comes to have no pool, and is read again
    Then the answer is 200
    And the pool "default" comes to be offline and not ready
