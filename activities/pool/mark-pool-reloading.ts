/** Activity `markPoolReloading`: tasks wait while the engine of the pool is exchanged. */
import type { NodeActivityDeps } from '../deps.js';

/** Builds the activity `markPoolReloading`. */
export function markPoolReloadingActivity({ pools }: Pick<NodeActivityDeps, 'pools'>) {
  return function markPoolReloading({ pool_id }: { pool_id: string }): Promise<void> {
    pools.reloading(pool_id);
    return Promise.resolve();
  };
}
