/**
 * Activity `watchEngine`: waits until the engine of a pool crashes, or the pool is taken out of service (B-SUPER-001;
 * docs/decisions/0007-a-pool-is-watched-by-an-activity.md).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { CrashReport } from '../../contracts/supervision.js';
import type { NodeActivityDeps } from '../deps.js';
import { shuttingDown, whyStopped } from '../shutting-down.js';

/** Between two looks at the registry; reading it costs nothing. */
const LOOK_EVERY_MS = 100;
/** The SDK sends a beat on at 80 % of the heartbeat timeout, which the workflow sets to 4 s. */
const BEAT_MS = 1_000;

/** Whose engine, and which crash of it is known already. */
export interface WatchEngineInput {
  pool_id: string;
  known_crash_id: string | null;
}

/** What was seen: a crash, or null when the pool is out of service on purpose (B-SUPER-017). */
export interface WatchedEngine {
  crash: CrashReport | null;
}

/** Builds the activity `watchEngine`. */
export function watchEngineActivity({
  pools,
  now,
  closing,
}: Pick<NodeActivityDeps, 'pools' | 'now' | 'closing'>) {
  /** @throws ApplicationFailure retryable when this worker shuts down; the next one watches on, and adopts what runs */
  return async function watchEngine({ pool_id, known_crash_id }: WatchEngineInput): Promise<WatchedEngine> {
    const { cancellationSignal } = Context.current();
    // Temporal lets activities go on for the whole grace of a shutdown before it tells them; nothing ends here meanwhile.
    const signal = AbortSignal.any([cancellationSignal, closing]);
    let beatAtMs = 0;
    for (;;) {
      if (cancellationSignal.aborted) throw whyStopped(cancellationSignal.reason);
      if (closing.aborted) throw shuttingDown();
      const crash = pools.crash(pool_id);
      if (crash !== null && crash.crash_id !== known_crash_id) return { crash };
      const state = pools.status(pool_id)?.state ?? 'offline';
      if (state === 'offline') return { crash: null };
      if (now() - beatAtMs >= BEAT_MS) {
        beatAtMs = now();
        Context.current().heartbeat({ state });
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  };
}
