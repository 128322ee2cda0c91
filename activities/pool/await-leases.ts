/** Activity `awaitLeases`: waits until no task of a draining pool, or of one replica, runs any more (B-DRAIN-004). */
import type { NodeActivityDeps } from '../deps.js';
import { lookUntil } from '../look-until.js';
import { writeDrainMark } from './drain-mark.js';

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
    if (replica_id === undefined) {
      await writeDrainMark(paths, pool_id, now());
      pools.draining(pool_id);
    }
    await lookUntil({ now, closing }, BEAT_MS, () => {
      const active_leases = pools.leases(pool_id, replica_id).length;
      return active_leases === 0 ? { found: undefined } : { beat: { active_leases } };
    });
  };
}
