/** Activity `markPoolStarting`: the node shows the pool as starting: not live, not ready (B-POOL-003). */
import type { PreparedEngine } from '../../contracts/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { requireFreeDevices } from '../engine/require-free-devices.js';

/** Builds the activity `markPoolStarting`. */
export function markPoolStartingActivity({ pools }: Pick<NodeActivityDeps, 'pools'>) {
  /**
   * Shows the pool, and with that claims its devices: of two preloads that passed preflight together one has them.
   * @throws ApplicationFailure `POOL_CONFLICT` when another pool has a device of the mask (B-DEVICE-015)
   */
  return async function markPoolStarting(prepared: PreparedEngine): Promise<void> {
    requireFreeDevices(pools, prepared);
    pools.starting(prepared);
    return Promise.resolve();
  };
}
