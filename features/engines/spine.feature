@engines
Feature: What Drover promises holds on every engine

  These scenarios run on the embedded engine with all the others, and once more (`npm run test:engines`) on llama.cpp's own
  server as others package it: the same flags, the same adapter, the same words.

  Rule: A stream says all that there is to say, in five kinds of frames

    @B-DP-120 @B-DP-121 @B-DP-122 @B-DP-123 @B-DP-124
    Scenario: started, token, metrics, end
      Given the task "a" about the "lighthouse" is posted
      When a reader has read the stream of "a" to its end
      Then the frames of "a" are one "started", then tokens counted from 0 with metrics between them, then one "end"
      And at least one "metrics" frame of "a" stands after the first token
      And the stream of "a" says:
        """
        Keepers once climbed ninety steps every evening to trim the lamp. Its beam turns three times a minute, and captains far away read the flashes and know exactly where they are. In fog, a great horn helps.
        """

    @B-DP-125 @B-DP-126
    Scenario: error
      Given an engine with one slot
      And an endless task "a" with a deadline that passes in mid-stream
      And a reader opens the stream of "a"
      Then the stream of "a" ends with the error "DECODE_TIMEOUT", retriable, and nothing after it

    @B-STR-021
    Scenario: Letters of several bytes
      Given the task "a" about the "tea" is posted
      When a reader has read the stream of "a" to its end
      Then every frame of "a" is "id", "event" and one line of JSON as "data"
      And the stream of "a" says:
        """
        Pour hot water over the leaves and be patient… ☕ After four quiet minutes comes a naïve little joy, the people in the café say: it warms both hands, costs next to nothing, and leaves time to look out of the window.
        """

  Rule: Four tasks at once keep their words apart

    @B-DP-124
    Scenario: Four tasks at once
      When four tasks about "rain", "garden", "river" and "stars" are posted at once, each with a reader
      Then each stream ends with "end" and says nothing but its own text:
        | rain   | Clouds gather over the roofs, and soon the first drops tap on every window. Gutters sing, streets shine, and the dry fields drink. By noon the air smells of earth, and a wide arch of colour stands above the mill. |
        | garden | Seeds sleep in the dark soil until the days grow warm. Plant beans beside the fence, water them at sunset, and leave some clover for the bees. When summer ends there will be more than you can carry. |
        | river  | Springs high in the hills send down a thin bright thread of water. It gathers streams, turns old mills, passes under stone bridges, and grows wide and slow. At last it gives the tide everything it carried. |
        | stars  | Lanterns of the night, they are older than every road below them. Read them slowly: first comes the bright one in the west, then the seven sisters, then a pale band of dust that nobody has ever crossed on foot. |

  Rule: A cancel stops the engine, not only the stream

    @B-DP-206 @B-DP-210 @B-DP-133
    Scenario: Cancelled in mid-stream
      Given an engine with one slot
      And the endless task "a" is posted
      And a reader opens the stream of "a"
      And the reader of "a" gets 10 tokens
      When "a" is cancelled
      Then nothing but the error comes for "a" after the answer
      And the stream of "a" ends with the error "CANCELLED", not retriable, and nothing after it
      And every slot is free, and the engine itself comes to be idle

  Rule: A reader that comes back misses nothing

    @B-DP-167
    Scenario: Back while the task runs
      Given an engine with one slot
      And a task "a" of 100 tokens is posted
      And a reader "steady" opens the stream of "a"
      When a reader "restless" reads 20 tokens of "a", leaves, and comes back with its last event id
      Then the stream of "steady" ends with "end"
      And "restless" has got what "steady" got, byte for byte

    @B-DP-168
    Scenario: Back after the end
      Given the task "a" about the "bread" is posted
      And a reader "first" has read the stream of "a" to its end
      When a reader "again" reads the stream of "a" to its end after event 5
      Then "again" has got what "first" got from frame 6 on, byte for byte

  Rule: A task may take as long as it takes

    @slow @B-DUR-004
    Scenario: A task longer than 40 s is handed from the local activity to its node

      The workflow's local activity follows a run for 1.5 s. A longer one is followed by a heartbeating activity on its
      node, in the same few events of history.

      Given a very slow engine with one slot
      When a task "a" is posted that takes 70 s at the measured pace
      And a reader opens the stream of "a"
      Then the workflow of "a" comes to wait for the activity "followRun" on the task queue "node:<node>:runs"
      And the stream of "a" ends with "end" more than 40 s after "started"
      And the history of "a" has fewer than 30 events, and no token in any
