/**
 * Why an operation on a pool fails: the failure types that operators read in a workflow's history (B-ERROR-023), and
 * what each means for the pool.
 */

/**
 * Every type, and whether the same call may succeed when it is made again (B-PREFLIGHT-024): hardware, files and
 * programs do not appear by waiting, memory and ports do.
 */
export const POOL_FAILURES = {
  /** No GPU where one is demanded, or not the devices of the mask. */
  GpuRequired: { retryable: false },
  InsufficientVram: { retryable: true },
  /** A GPU is hotter than it may be when an engine is started on it. */
  GpuTooHot: { retryable: true },
  InsufficientRam: { retryable: true },
  /** The system would not start the engine, or no port is free for it. */
  SpawnFailed: { retryable: false },
  /** Not healthy yet: each poll says so, and the last one's word stands when the time is over. */
  HealthTimeout: { retryable: true },
  EngineExited: { retryable: false },
  ModelUnavailable: { retryable: false },
  /** The engine could not be built, downloaded or installed (B-PROV-012). */
  ProvisionFailed: { retryable: false },
  HandoffWriteFailed: { retryable: true },
  /** The folder of the node's spawn records cannot be used (B-API-013). */
  RegistryUnavailable: { retryable: true },
  /** The engine's processes outlive SIGKILL, or may not be signalled. */
  StopFailed: { retryable: true },
  /** Tasks still ran when a reload's deadline was over (B-RELOAD-014). */
  DrainTimeout: { retryable: false },
  /** Neither the new engine nor the old one could be brought up (B-RELOAD-017). */
  RollbackFailed: { retryable: false },
  /** Another engine of this pool runs (B-API-026). */
  POOL_CONFLICT: { retryable: false },
  /** The launch description is wrong. */
  INVALID_PARAMS: { retryable: false },
  /** The pool's node does not answer (B-PDUR-004). */
  POOL_UNAVAILABLE: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

/** Type of a pool operation's failure. */
export type PoolFailureType = keyof typeof POOL_FAILURES;

/** True when `type` is one of ours. */
export function isPoolFailure(type: string): type is PoolFailureType {
  return Object.hasOwn(POOL_FAILURES, type);
}

/**
 * True when the operation was refused without touching the pool: whatever the pool is doing it goes on doing, so its
 * state and its `last_error` are left as they are.
 */
export function isRefusal(type: string): boolean {
  return type === 'POOL_CONFLICT' || type === 'INVALID_PARAMS';
}
