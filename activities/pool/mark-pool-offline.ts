/** Activity `markPoolOffline`: the pool's engines are gone on purpose (B-DRAIN-007, B-POOL-006). */
import type { DrainOutcome } from '../../contracts/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { removeDrainMark } from './drain-mark.js';
import { narration, poolFields } from './pool-fields.js';

/** Builds the activity `markPoolOffline`. */
export function markPoolOfflineActivity({
  pools,
  paths,
  metrics,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'paths' | 'metrics' | 'log'>) {
  /** Shows the pool as offline and tells how its drain went; told twice it counts once. */
  return async function markPoolOffline(outcome: DrainOutcome): Promise<void> {
    const { pool_id, duration_ms, force_stopped, final_lease_count } = outcome;
    const isNew = pools.status(pool_id)?.state !== 'offline';
    await removeDrainMark(paths, pool_id);
    pools.offline(pool_id);
    if (!isNew) return;
    metrics.drainEnded(pool_id, force_stopped ? 'forced' : 'drained', duration_ms);
    const human = `Takes the pool offline after ${duration_ms} ms, with ${final_lease_count} tasks broken off`;
    log.info(
      {
        event: 'pool_offline',
        ...narration('drain', pool_id, human),
        ...poolFields(pools, pool_id),
        active_leases: final_lease_count,
        duration_ms,
        force_stopped,
      },
      'pool drained',
    );
  };
}
