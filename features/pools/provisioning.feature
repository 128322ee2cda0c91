Feature: An engine comes to be on its node

  A launch may say where its engine comes from instead of where it is: a repository, a download, a package. The node makes it
  available before it starts it, step by step, and once for all who want the same.

  @B-PROV-001 @B-PROV-005 @B-PROV-011 @B-PROV-012 @B-POOL-002
  Scenario: An engine is built from its source, and what was built is built once
    Given a fresh installation that fetches its models from a hub
    And the hub has the demo model as "hf:org/repo/tea.gguf"
    And a repository has an engine at "v1", and one that does not compile at "v2"
    When the pool is preloaded with the engine at "v2" and the model "hf:org/repo/tea.gguf"
    Then the preload is refused with "cmake-build ended with exit code 2" and what the compiler said
    When the pools "default" and "other" are preloaded at once with the engine at "v1" and the model "hf:org/repo/tea.gguf"
    Then each was seen as "provisioning", not ready, before it served "hf:org/repo/tea.gguf"
    And the hub was asked 1 times
    And the steps of the preload were "preflight-tools", "git-clone", "cmake-configure", "cmake-build", "model-fetch", "preflight", "run", "health", "probe", "handoff" and "ready"
    And all have one engine, "llamacpp-source:v1-cpu", as it was built
    And the task "a" is posted with model_ref: "hf:org/repo/tea.gguf"
    And "a" comes to be "completed"
    When the pool is drained with a deadline of 0 ms, and its end is waited for
    And the pool "default" is preloaded at once with the engine at "v1" and the model "hf:org/repo/tea.gguf"
    Then the steps of the preload were "preflight-tools", "model-fetch", "preflight", "run", "health", "probe", "handoff" and "ready"
