/** Fields that every log line about a pool has (B-LOG-001..004). */
import type { PoolKeeper, ServedEngine } from '../deps.js';

/** Who speaks on a node, as the inherited contract names it (B-NARR-001). */
const ACTOR = 'pool-managerd';

/** The pool in a log line. */
export function poolFields(pools: PoolKeeper, poolId: string) {
  const status = pools.status(poolId);
  return {
    pool_id: poolId,
    engine: status?.engine ?? null,
    engine_version: status?.engine_version ?? null,
    device_mask: status?.device_mask ?? null,
  };
}

/** The engine of a replica in a log line. */
export function engineFields({
  pool_id,
  replica_id,
  engine,
  engine_version,
  device_mask,
}: Pick<ServedEngine, 'pool_id' | 'replica_id' | 'engine' | 'engine_version' | 'device_mask'>) {
  return { pool_id, replica_id, engine, engine_version, device_mask };
}

/** The milestone in a log line; `human` is one sentence of at most 100 characters (B-NARR-004). */
export function narration(action: string, poolId: string, human: string) {
  return { actor: ACTOR, action, target: poolId, human };
}
