/** Activity `markPoolProvisioning`: the node shows that a pool's engine or model is being fetched or built (B-POOL-002). */
import type { PreparedEngine } from '../../contracts/pool.js';
import { isLive, mayBecomeReady } from '../../domain/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { requireFreeDevices } from '../engine/require-free-devices.js';

/** Builds the activity `markPoolProvisioning`. */
export function markPoolProvisioningActivity({ pools }: Pick<NodeActivityDeps, 'pools'>) {
  /**
   * Shows the pool, and with that claims its devices; one that has an engine, or is about to, is left as it is.
   * @returns whether it is shown so
   * @throws ApplicationFailure `POOL_CONFLICT` when another pool has a device of the mask (B-DEVICE-015)
   */
  return function markPoolProvisioning(prepared: PreparedEngine): Promise<boolean> {
    const state = pools.status(prepared.pool_id)?.state ?? 'uninitialized';
    if (state === 'provisioning') return Promise.resolve(true);
    if (isLive(state) || (mayBecomeReady(state) && state !== 'backoff')) return Promise.resolve(false);
    requireFreeDevices(pools, prepared);
    pools.provisioning(prepared);
    return Promise.resolve(true);
  };
}
