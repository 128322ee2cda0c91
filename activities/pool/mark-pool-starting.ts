/** Activity `markPoolStarting`: the node shows the pool as starting: not live, not ready (B-POOL-003). */
import type { PreparedEngine } from '../../contracts/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { requireFreeDevices } from '../engine/require-free-devices.js';
import { requireTurn } from '../engine/require-turn.js';
import { inRegistry } from '../in-registry.js';

type Deps = Pick<NodeActivityDeps, 'nodeId' | 'parallelPreloads' | 'pools' | 'paths' | 'log'>;

/** Builds the activity `markPoolStarting`. */
export function markPoolStartingActivity(deps: Deps) {
  const { pools } = deps;
  /**
   * Shows the pool, and with that claims its devices: of two preloads that passed preflight together one has them.
   * @throws ApplicationFailure `POOL_CONFLICT` when another pool has a device of the mask (B-DEVICE-015);
   *   `RegistryUnavailable` when an engine could not be recorded; `POOL_UNAVAILABLE` when too many pools load
   */
  return async function markPoolStarting(prepared: PreparedEngine): Promise<void> {
    await inRegistry(deps, prepared.pool_id);
    requireTurn(deps, prepared.pool_id);
    requireFreeDevices(pools, prepared);
    pools.starting(prepared);
  };
}
