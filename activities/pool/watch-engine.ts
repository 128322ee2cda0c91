/**
 * Activity `watchEngine`: waits until the engine of a pool crashes, or the pool is taken out of service (B-SUPER-001;
 * docs/decisions/0007-a-pool-is-watched-by-an-activity.md).
 */
import type { PreparedEngine } from '../../contracts/pool.js';
import type { CrashReport } from '../../contracts/supervision.js';
import type { NodeActivityDeps } from '../deps.js';
import { lookUntil } from '../look-until.js';

/** The SDK sends a beat on at 80 % of the heartbeat timeout, which the workflow sets to 4 s. */
const BEAT_MS = 1_000;

/** Whose engine, and which crash of it is known already. */
export interface WatchEngineInput {
  pool_id: string;
  known_crash_id: string | null;
}

/** What was seen: a crash, or null when the pool is out of service on purpose (B-SUPER-017), or about to change for want of tasks or by one. */
export interface WatchedEngine {
  crash: CrashReport | null;
  /** It has been idle for as long as it may. */
  idle?: true;
  /** It sleeps, and a task waits for this engine. */
  wanted?: PreparedEngine;
}

/** Builds the activity `watchEngine`. */
export function watchEngineActivity({
  pools,
  now,
  closing,
}: Pick<NodeActivityDeps, 'pools' | 'now' | 'closing'>) {
  /** @throws ApplicationFailure retryable when this worker shuts down; the next one watches on, and adopts what runs */
  return function watchEngine({ pool_id, known_crash_id }: WatchEngineInput): Promise<WatchedEngine> {
    return lookUntil<WatchedEngine>({ now, closing }, BEAT_MS, () => {
      const crash = pools.crash(pool_id);
      if (crash !== null && crash.crash_id !== known_crash_id) return { found: { crash } };
      const state = pools.status(pool_id)?.state ?? 'offline';
      if (pools.isSleepDue(pool_id)) return { found: { crash: null, idle: true } };
      const wanted = state === 'asleep' && pools.waiting(pool_id).length > 0 ? pools.launch(pool_id) : null;
      if (wanted !== null) return { found: { crash: null, wanted } };
      return state === 'offline' ? { found: { crash: null } } : { beat: { state } };
    });
  };
}
