@sleep
Feature: Pools that sleep, and wake for the task that asks for them

  A pool on demand has its launch on record and no engine. The first task that asks for its model is put on record and waits;
  its stream tells how far the pool is until it begins. A pool that nobody asks for goes to sleep again, and so does an idle
  one where another needs its room; one that is busy never does.

  @B-DP-048 @B-DP-080 @B-DP-105 @B-WST-011
  Scenario: A task wakes a pool whose model is elsewhere, and the next one finds it warm
    Given an installation that may have two pools loaded
    And the hub has the demo model as "hf:org/repo/tea.gguf", which takes 2 seconds
    And the pool "tea" sleeps, with the model "hf:org/repo/tea.gguf"
    When the task "a" is posted with model_ref: "hf:org/repo/tea.gguf"
    Then "a" was told that "model:hf:org/repo/tea.gguf" and "pool:tea" are prepared for it
    When a verbose reader "r" has read the stream of "a" to its end
    Then "r" was told in words how the model came and the pool was loaded, and of no token before
    And "r" has got the whole answer of "a" after one "started", which is the first event with an id
    When the task "b" is posted with model_ref: "hf:org/repo/tea.gguf"
    Then "b" was told that nothing is prepared for it
    And "b" comes to be "completed"

  Scenario: Ten askers share one load
    Given an installation that may have two pools loaded
    And the pool "ten" sleeps
    When 10 tasks for the pool "ten" are posted at once and complete
    Then the pool "ten" was loaded 1 times

  Scenario: A pool that is idle goes to sleep, one that is busy does not
    Given an installation that may have two pools loaded
    And the pool "nap" sleeps, with a slow engine, and again after 700 ms without a task
    When a task "a" of 150 tokens is posted for the pool "nap"
    And a reader has read the stream of "a" to its end
    Then "a" has run for longer than 700 ms on one engine of the pool "nap"
    And the pool "nap" comes to be asleep, and its engine is gone
    When `drover ps` is run
    Then it ends with 0
    And it has printed that the pool "nap" is asleep
    When `drover run model-of-nap 'Tell me about tea.' --max-tokens 5` is run
    Then it ends with 0
    And it has told a person how the pool was loaded
    And the pool "nap" was loaded 2 times

  Scenario: The idle pool that was used least recently makes room, and a busy one is waited for
    Given an installation that may have two pools loaded
    And the pools "one", "two" and "three" sleep, with slow engines
    When a task "a" of 5 tokens is posted for the pool "one"
    And "a" comes to be "completed"
    And a task "b" of 5 tokens is posted for the pool "two"
    And "b" comes to be "completed"
    And a task "c" of 3900 tokens is posted for the pool "three"
    Then "c" comes to be "executing"
    And the pool "one" comes to be asleep, and its engine is gone
    And the pool "two" is loaded
    When a task "d" of 3900 tokens is posted for the pool "two"
    And "d" comes to be "executing"
    And a task "e" of 5 tokens is posted for the pool "one"
    And a reader opens the stream of "e"
    Then the reader of "e" is told that "pool:one" waits
    When the API and the control worker are killed, and others are started
    And the reader of "e" comes back
    And the reader of "e" is told that "pool:one" waits
    When "c" is cancelled
    Then "e" comes to be "completed"
    And "d" is "executing"
    And the pool "three" comes to be asleep, and its engine is gone

  Scenario: A pool that cannot be woken says so to the task, and sleeps on
    Given an installation that may have two pools loaded
    And the pool "gone" sleeps, with a model that is not there
    When a task "a" of 5 tokens is posted for the pool "gone"
    And a reader has read the stream of "a" to its end
    Then the last frame of "a" is "error" with:
      | code    | POOL_UNREADY                             |
      | message | the pool of the task could not be loaded |
    And its cause is "ModelUnavailable"
    And the pool "gone" is asleep, and says why

  Scenario: One command fetches a model, loads it, and answers
    Given an installation that serves models of the catalogue
    And the hub has the demo model as "hf:org/repo/tea.gguf", which takes 1 seconds
    When `drover run hf:org/repo/tea.gguf 'Tell me about tea.' --max-tokens 5` is run
    Then it ends with 0
    And it has told a person that the model is fetched, and how its pool was loaded
    When `drover run hf:org/repo/tea.gguf 'Tell me about tea.' --max-tokens 5` is run
    Then it ends with 0
    And it has told nobody of any of it
    And the model "hf:org/repo/tea.gguf" has one pool, which was loaded once
