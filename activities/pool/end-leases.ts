/** Activity `endLeases`: what still runs in a pool, or on one replica, ends, and no task reaches the engine any more (B-DRAIN-005). */
import type { NodeActivityDeps } from '../deps.js';
import { heartbeating } from '../engine/heartbeating.js';
import type { LeasesInput } from './await-leases.js';
import { poolFields } from './pool-fields.js';

/** What was left. */
export interface EndedLeases {
  /** Tasks that ended with `WORKER_RESET`. */
  final_lease_count: number;
}

/** Builds the activity `endLeases`. */
export function endLeasesActivity({ pools, runs, log }: Pick<NodeActivityDeps, 'pools' | 'runs' | 'log'>) {
  /** Resolves when no task holds a slot of the pool. */
  return function endLeases({ pool_id, replica_id }: LeasesInput): Promise<EndedLeases> {
    return heartbeating(async () => {
      const left = pools.leases(pool_id, replica_id);
      await Promise.all(
        left.map((taskId) => runs.reset(taskId, 'the engine was taken out of service before the task ended')),
      );
      if (left.length > 0) {
        const fields = { ...poolFields(pools, pool_id), active_leases: left.length, reason: 'deadline' };
        log.warn({ event: 'leases_ended', ...fields }, 'tasks that still ran were ended');
      }
      pools.release(pool_id, replica_id);
      return { final_lease_count: left.length };
    });
  };
}
