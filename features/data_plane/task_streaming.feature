Feature: A task's tokens are streamed as they come

  `GET /v2/tasks/{id}/events` is an event stream of five kinds of frames: `started`, then `token`s with `metrics` between
  them, then exactly one `end` or `error`. The stream only watches: it neither starts the task nor ends it.

  @B-DP-101 @B-DP-102 @B-DP-103 @B-DP-104 @B-DP-106
  Scenario: The headers of a stream
    Given the task "a" is posted
    When a reader opens the stream of "a" with the correlation id "watch-1"
    Then the stream of "a" has the status 200 and the headers:
      | Content-Type               | text/event-stream |
      | X-Correlation-Id           | watch-1           |
      | X-Budget-Tokens-Remaining  | unlimited         |
      | X-Budget-Time-Remaining-Ms | 600000            |
      | X-Budget-Cost-Remaining    | unlimited         |
      | Cache-Control              | no-cache          |
      | Connection                 | keep-alive        |
      | X-Accel-Buffering          | no                |

  @B-DP-121 @B-DP-122 @B-DP-123 @B-DP-124
  Scenario: The frames of a stream and their order
    Given the task "a" about the "mountains" is posted
    When a reader has read the stream of "a" to its end
    Then the frames of "a" are one "started", then tokens counted from 0 with metrics between them, then one "end"
    And every token frame of "a" has text "t" and number "i" and nothing else
    And at least one "metrics" frame of "a" stands after the first token
    And the stream of "a" says:
      """
      Snow stays on the high peaks long after spring has come to the valley. A narrow path climbs past pines and loose stones, and from the pass you can see three countries at once. Bring warm clothes, and turn back before dusk.
      """

  @B-DP-120
  Scenario: The first frame says who serves the task
    Given the task "a" is posted with the correlation id "serve-1"
    When a reader has read the stream of "a" to its end
    Then the first frame of "a" is "started" with:
      | queue_position     | 0        |
      | predicted_start_ms | 0        |
      | task_id            | <a>      |
      | engine             | llamacpp |
      | pool_id            | default  |
      | replica_id         | r0       |
      | model_ref          | demo     |
      | correlation_id     | serve-1  |

  @B-STR-021
  Scenario: Letters of several bytes arrive whole

    Cups, ellipses and diaereses are several bytes long, and the demo model gives each byte as a token of its own.

    Given the task "a" about the "tea" is posted
    When a reader has read the stream of "a" to its end
    Then the stream of "a" says:
      """
      Pour hot water over the leaves and be patient… ☕ After four quiet minutes comes a naïve little joy, the people in the café say: it warms both hands, costs next to nothing, and leaves time to look out of the window.
      """
    And every frame of "a" is "id", "event" and one line of JSON as "data"

  @B-DP-123
  Scenario Outline: The end says why the tokens stopped: <reason>
    Given the task "a" is posted with <field>: <value>
    When a reader has read the stream of "a" to its end
    Then the last frame of "a" is "end" with:
      | stop_reason | <reason> |
    And the "end" of "a" counts its tokens, and gives the decode time under both names

    Examples:
      | field      | value         | reason        |
      | max_tokens | 7             | MAX_TOKENS    |
      | max_tokens | 400           | EOS           |
      | stop       | ["boat"]      | STOP_SEQUENCE |

  @B-DP-122 @B-DP-127 @B-DP-128
  Scenario: Metrics frames come at a bounded cadence and are computed
    Given an engine with one slot
    And the endless task "ample" is posted
    And a reader opens the stream of "ample"
    And the tasks "w1" and "w2" are posted
    Then a "metrics" frame of "ample" comes with queue depth 2, and a probability above 0.9
    And no more than 10 "metrics" frames a second come for "ample"
    When "ample", "w1" and "w2" are cancelled
    And an endless task "tight" is posted whose deadline is half as long again as its tokens will take
    And a reader opens the stream of "tight"
    Then a "metrics" frame of "tight" comes after its first 100 tokens with a probability between 0.01 and 0.9999

  @B-DP-105
  Scenario: A verbose stream says in words what its figures mean
    Given the task "a" about the "music" is posted
    When a reader "plain" has read the stream of "a" to its end
    And a verbose reader "wordy" has read the stream of "a" to its end
    Then the "metrics" frames of "wordy" have a "phase" and a "human", those of "plain" have not
    And all other frames of "plain" and "wordy" are the same

  @B-STR-022 @B-STR-023
  Scenario: Tokens are sent while the task decodes
    Given an engine with one slot
    When the endless task "a" is posted
    And a reader opens the stream of "a"
    Then the reader of "a" gets 5 tokens while "a" is "executing"
    And the stream of "a" is still open

  @B-DP-109 @B-DP-165
  Scenario: A stream opened while the task waits stays open and is kept alive
    Given an engine with one slot, busy with the endless task "busy"
    And the task "a" is posted
    When a reader opens the stream of "a"
    Then a comment ": keep-alive" comes before any frame of "a"
    When "busy" is cancelled
    Then the stream of "a" ends with "end"

  @B-DP-190
  Scenario: Equal tasks with equal seeds say the same

    At this temperature the demo model wanders between its texts, but by the same way for the same seed.

    When the task "one" is posted with:
      | temperature | 1.2 |
      | seed        | 7   |
    And the task "other" is posted with:
      | temperature | 1.2 |
      | seed        | 7   |
    And a reader has read the stream of "one" to its end
    And a reader has read the stream of "other" to its end
    Then the tokens of "one" and "other" are the same

  @B-DP-163
  Scenario: Small frames are not compressed
    Given the task "a" is posted
    When a reader that accepts gzip has read the stream of "a" to its end
    Then the answer of "a" has no "Content-Encoding"

  @B-DP-124
  Scenario: Four tasks at once keep their words apart
    When four tasks about "sea", "bread", "trains" and "library" are posted at once, each with a reader
    Then each stream ends with "end" and says nothing but its own text:
      | sea     | Waves arrive in long grey lines and break softly on the shore. Between two tides the sand lies bare, and small crabs hurry home. Far out, a boat leans into the wind, and its lamp stays lit until morning. |
      | bread   | Flour, water, salt and time: nothing more is needed. Knead the dough until it is smooth, let it rest under a cloth, and bake it in a very hot oven. Wait until the crust has stopped singing, for a warm loaf is hard to slice. |
      | trains  | Steel wheels hum over the bridge at dawn. The conductor checks each ticket with care, a child presses her nose to the glass, and fields slide past like slow green pages. Next stop: the old harbour, on time. |
      | library | Shelves rise to the ceiling, and a ladder on rails rolls along them. Somebody reads about whales, somebody about bridges, and nobody speaks. Each page is lent for two weeks and comes home with a little of its reader. |

  @B-DP-145 @B-DP-146 @B-DP-147 @B-DP-144
  Scenario: A finished stream is accounted for
    Given the counters are read
    When the task "a" about the "garden" is posted
    And a reader has read the stream of "a" to its end
    Then "tasks_started_total" has risen by 1
    And "latency_first_token_ms_count" has risen by 1
    And "latency_decode_ms_count" has risen by 1
    And "tokens_out_total" and "tokens_in_total" have risen by what the "end" of "a" says
    And the node has logged the end of "a" with its engine, its pool and its tokens

  @B-DP-108 @B-DP-125 @B-DP-126 @B-ERR-018 @B-SUPER-016
  Scenario: A stream that no engine can go on with ends with one error
    Given a fresh installation with a slow engine that waits 60000 ms before a restart
    And the endless task "a" is posted
    And a reader opens the stream of "a"
    And the reader of "a" gets 5 tokens
    When the engine is killed, and its pool is preloaded with another model
    Then the stream of "a" ends with the error "WORKER_RESET", retriable, and nothing after it
    And the stream of "a" has the status 200 and the headers:
      | Content-Type | text/event-stream |
    And the workflow of "a" has failed with the type "WORKER_RESET"
    And no task holds a slot of the pool
