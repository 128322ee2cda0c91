/** Activity `endLeases`: what still runs in a draining pool ends, and no task reaches its engines any more (B-DRAIN-005). */
import type { NodeActivityDeps } from '../deps.js';
import { heartbeating } from '../engine/heartbeating.js';
import { poolFields } from './pool-fields.js';

/** What was left. */
export interface EndedLeases {
  /** Tasks that ended with `WORKER_RESET`. */
  final_lease_count: number;
}

/** Builds the activity `endLeases`. */
export function endLeasesActivity({ pools, runs, log }: Pick<NodeActivityDeps, 'pools' | 'runs' | 'log'>) {
  /** Resolves when no task holds a slot of the pool. */
  return function endLeases({ pool_id }: { pool_id: string }): Promise<EndedLeases> {
    return heartbeating(async () => {
      const left = pools.leases(pool_id);
      await Promise.all(
        left.map((taskId) => runs.reset(taskId, 'the pool was drained before the task ended')),
      );
      if (left.length > 0) {
        const fields = { ...poolFields(pools, pool_id), active_leases: left.length, reason: 'deadline' };
        log.warn({ event: 'leases_ended', ...fields }, 'the drain ended tasks that still ran');
      }
      pools.release(pool_id);
      return { final_lease_count: left.length };
    });
  };
}
