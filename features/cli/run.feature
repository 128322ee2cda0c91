Feature: A model is run from a terminal

  What a person types is a durable task like any other. Standard output gets the answer and nothing else, so that it can be
  piped; what ends badly says so with a code, a reason, a next step and an exit code that a script can read.

  @B-INF-038 @B-CLI-012 @B-EXIT-001 @B-LIFE-016 @B-LIFE-018
  Scenario: Tokens are printed as they come, and what serves them lives on
    When `drover run demo 'Tell me about the sea.' --max-tokens 20 --temperature 0` is run
    Then it ends with 0
    And it has said nothing but data
    And the processes of the stack and its engine are those that ran before
    And it has printed what the API answers in a chat to:
      | prompt      | Tell me about the sea. |
      | max_tokens  | 20                     |
      | temperature | 0                      |

  @B-CLI-012
  Scenario: The prompt is piped
    When "Tell me about tea." is piped into `drover run demo --temperature 0`
    Then it ends with 0
    And it has printed what the API answers in a chat to:
      | prompt      | Tell me about tea. |
      | temperature | 0                  |

  @B-CLI-012
  Scenario: For a program
    When `drover run demo 'Tell me about the sea.' --max-tokens 20 --json` is run
    Then it ends with 0
    And its text is that of the stream of the task that it names
    And its data hold:
      | model       | demo       |
      | tokens_out  | 20         |
      | stop_reason | MAX_TOKENS |

  @B-INF-052 @B-EXIT-001
  Scenario: Ctrl-C cancels the task
    Given an engine with one slot
    When `drover run demo 'Tell me something endless.'` is started, and has printed 40 characters
    And Ctrl-C is pressed
    Then it ends with 130
    And every slot is free, and the engine itself comes to be idle

  @B-EXIT-001 @B-EXIT-002 @B-EXIT-004
  Scenario: A model that nobody serves
    When `drover run nobody-has-it 'Hello'` is run
    Then it ends with 1
    And its error is "MODEL_NOT_FOUND"
    And it names a next step, and a correlation id

  @B-INF-032
  Scenario: Nothing is there to run a model
    Given a fresh installation whose pool is not loaded
    When `drover run demo 'Hello'` is run
    Then it ends with 1
    And its error is "NO_WORKERS"
    And it names a next step, and a correlation id

  @B-SSEC-002 @B-EXIT-003
  Scenario: The API is killed amid an answer; then the engine stands still
    Given a fresh installation with a slow engine
    When `drover run demo 'Tell me something endless.' --max-tokens 120 --temperature 0` is started, and has printed 60 characters
    And the API is killed and started again at its address
    Then it ends with 0
    And it has printed what the API answers in a chat to:
      | prompt      | Tell me something endless. |
      | max_tokens  | 120                        |
      | temperature | 0                          |
    When `drover run demo 'Tell me something endless.' --idle-timeout 3s` is started, and has printed 40 characters
    And the engine is held
    Then it ends with 124
    And its error is "TOKEN_STREAM_TIMEOUT"
