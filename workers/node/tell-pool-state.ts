/** Every move of a pool in the log, whoever has moved it (B-POOL-009). */
import type { PoolState } from '../../domain/pool.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Pool } from './pool-registry.js';

/** Writes the line. */
export function tellPoolState(log: Logger, pool: Pool, from: PoolState): void {
  const { poolId: pool_id, state, prepared, lastError: last_error, changedAtMs: changed_at_ms } = pool;
  const { engine = null, engine_version = null, device_mask = null } = prepared ?? {};
  const fields = { pool_id, engine, engine_version, device_mask, from, state, changed_at_ms, last_error };
  log.info({ event: 'pool_state', ...fields }, `pool ${state}`);
}
