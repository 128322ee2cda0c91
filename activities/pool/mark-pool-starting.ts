/** Activity `markPoolStarting`: the node shows the pool as starting: not live, not ready (B-POOL-003). */
import type { PreparedEngine } from '../../contracts/pool.js';
import type { NodeActivityDeps } from '../deps.js';

/** Builds the activity `markPoolStarting`. */
export function markPoolStartingActivity({ pools }: Pick<NodeActivityDeps, 'pools'>) {
  return function markPoolStarting(prepared: PreparedEngine): Promise<void> {
    pools.starting(prepared);
    return Promise.resolve();
  };
}
