Feature: A pool has the GPUs of its mask, and no others

  Which GPUs a pool may use is said in its mask and checked against what the driver lists. Nothing spills over: neither
  from a pool to a GPU that it was not given, nor from one pool to the GPUs of another. The GPUs of these scenarios are
  those of an `nvidia-smi` that a test wrote; the engines are real processes.

  @B-DEVICE-010 @B-DEVICE-013 @B-CONFIG-010 @B-CONFIG-011 @B-CONFIG-012
  Scenario: Engines see the GPUs of their mask, and a wrong mask stops its own pool alone
    Given a fresh installation with the GPUs "0, 1 and 2"
    When a preload of the pool "odd" is tried on the devices "0,7"
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and the message "\"7\" is unknown; the node has 0 (NVIDIA H100 80GB HBM3), 1 (NVIDIA H100 80GB HBM3), 2 (NVIDIA H100 80GB HBM3)"
    When the pool "pair" is preloaded on the devices "GPU2,GPU0"
    And the pool "one" is preloaded on the devices "1"
    Then the engine of "pair" sees the devices "2,0", and that of "one" sees "1"
    And the pool "pair" is shown with the mask "GPU2,GPU0", and so is its handoff

  @B-DEVICE-011 @B-PREFLIGHT-016 @OC-POOL-3012 @OC-POOL-3020
  Scenario: The GPUs of a mask are full, and another one is not
    Given a fresh installation with the GPUs "0, and 1 without free memory"
    When a preload of the pool "full" is tried on the devices "1"
    Then it is refused with 500 "PRELOAD_FAILED", not retriable, and the message "device 1 has 0 (available)"
    And no engine of "full" was started

  @B-DEVICE-015 @B-WPRE-009
  Scenario: Two pools want one GPU
    Given a fresh installation with the GPUs "0, 1 and 2"
    When the pool "first" is preloaded on the devices "0,1"
    And a preload of the pool "second" is tried on the devices "GPU1,GPU2"
    Then it is refused with 409 "POOL_CONFLICT", not retriable, and the message "overlaps with \"0,1\" of pool first in 1"
    And the pool "first" is ready
    When a preload of the pool "third" is tried on the devices "5"
    Then it is refused with 400 "INVALID_PARAMS", not retriable, and the message "\"5\" is unknown"
    And the answer holds:
      | details.cause_code | DEVICE_UNKNOWN |
      | details.available  | ["0","1","2"]  |

  @B-DEVICE-017 @B-PREFLIGHT-015 @B-METRICS-003 @B-METRICS-004
  Scenario: A GPU disappears
    Given a fresh installation with the GPUs "0 and 1"
    When the pool "left" is preloaded on the devices "0"
    And the pool "right" is preloaded on the devices "1"
    Then the node shows the memory of the devices "0, 1"
    When the GPUs come to be "0"
    Then the pool "right" comes to be "failed", not ready, and its last error has "device 1 of the mask \"1\" is gone"
    And the node shows the memory of the devices "0"
    And the pool "left" is ready
