/** Fields that every log line about a pool has (B-LOG-001..004). */
import { story, type Story } from '../../telemetry/narration.js';
import type { PoolKeeper, ServedEngine } from '../deps.js';

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

/** The milestone of a pool in a log line. */
export function narration(action: string, poolId: string, human: string): Story {
  return story('pool-managerd', action, poolId, human);
}
