/** Replicas of a pool are of one version, and sample alike (B-DP-191). */
import type { PreparedEngine } from '../../contracts/pool.js';
import { mixedSetProblem } from '../../domain/replica-set.js';
import type { PoolKeeper } from '../deps.js';
import { poolFailure } from '../failures.js';

/** @throws ApplicationFailure `POOL_CONFLICT` where the pool's other replicas are of another version */
export function requireSameSet(
  pools: Pick<PoolKeeper, 'replicas' | 'running'>,
  { pool_id, replica_id, ...wanted }: PreparedEngine,
): void {
  // The engine beside in a reload serves under another name, and takes the place of the old one.
  const others = pools.replicas(pool_id).filter((id) => ownName(id) !== ownName(replica_id));
  const serving = others.flatMap((id) => pools.running(pool_id, id)?.prepared ?? []);
  const problem = mixedSetProblem(wanted, serving);
  if (problem !== undefined) throw poolFailure('POOL_CONFLICT', problem, { pool_id, replica_id });
}

function ownName(replicaId: string): string {
  return replicaId.replace(/\.(?:next|old)$/, '');
}
