/** Activity `awaitLeases`: waits until no task of a draining pool, or of one replica, runs any more (B-DRAIN-004). */
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { NodeActivityDeps } from '../deps.js';
import { shuttingDown, whyStopped } from '../shutting-down.js';
import { writeDrainMark } from './drain-mark.js';

/** Between two looks at the leases; reading them costs nothing. */
const LOOK_EVERY_MS = 100;
/** The SDK sends a beat on at 80 % of the heartbeat timeout, which the workflow sets to 10 s. */
const BEAT_MS = 2_000;

/** Which leases: the pool's, which is then draining, or one replica's. */
export interface LeasesInput {
  pool_id: string;
  replica_id?: string;
}

/** Builds the activity `awaitLeases`. */
export function awaitLeasesActivity({
  pools,
  paths,
  now,
  closing,
}: Pick<NodeActivityDeps, 'pools' | 'paths' | 'now' | 'closing'>) {
  /**
   * Resolves when the last lease was given back. Each try marks the pool again, so that a worker that lost its mark
   * takes no new work either (B-DRAIN-012).
   * @throws ApplicationFailure retryable when this worker shuts down; the next one waits on
   */
  return async function awaitLeases({ pool_id, replica_id }: LeasesInput): Promise<void> {
    const { cancellationSignal } = Context.current();
    if (replica_id === undefined) {
      await writeDrainMark(paths, pool_id, now());
      pools.draining(pool_id);
    }
    // Temporal lets activities go on for the whole grace of a shutdown before it tells them.
    const signal = AbortSignal.any([cancellationSignal, closing]);
    let beatAtMs = 0;
    for (;;) {
      if (cancellationSignal.aborted) throw whyStopped(cancellationSignal.reason);
      if (closing.aborted) throw shuttingDown();
      const active_leases = pools.leases(pool_id, replica_id).length;
      if (active_leases === 0) return;
      if (now() - beatAtMs >= BEAT_MS) {
        beatAtMs = now();
        Context.current().heartbeat({ active_leases });
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  };
}
