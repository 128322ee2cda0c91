/** No pool takes the devices of another: asked at preflight, and again in the turn that claims them (B-DEVICE-015). */
import type { PreparedEngine } from '../../contracts/pool.js';
import { claimProblem } from '../../domain/device-mask.js';
import type { PoolKeeper } from '../deps.js';
import { poolFailure } from '../failures.js';

/** @throws ApplicationFailure `POOL_CONFLICT` when another pool has a device of the mask and they do not share */
export function requireFreeDevices(pools: Pick<PoolKeeper, 'claims'>, wanted: PreparedEngine): void {
  // What runs on the CPU has no use for a GPU, whatever its mask says.
  if (wanted.backend === 'cpu') return;
  const problem = claimProblem(wanted, pools.claims());
  if (problem === undefined) return;
  const { pool_id, replica_id } = wanted;
  throw poolFailure('POOL_CONFLICT', problem, { pool_id, replica_id });
}
