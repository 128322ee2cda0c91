/** The node's pools as a heartbeat tells of them (B-NAPI-003). */
import type { NodeDevices } from '../../contracts/node.js';
import type { ReportedPool } from '../../contracts/node-service.js';
import type { PoolStatus } from '../../contracts/pool.js';

/** Each pool with what it serves, and what its GPUs have left. */
export function reportedPools(pools: readonly PoolStatus[], { devices }: NodeDevices): ReportedPool[] {
  return pools.map((pool) => ({
    pool_id: pool.pool_id,
    ready: pool.ready,
    draining: pool.draining,
    slots_free: pool.slots_free,
    slots_total: pool.slots_total,
    vram_free_bytes: vramFree(pool, devices),
    engine: pool.engine,
    models_available: [...new Set([pool.model_name, pool.model_ref])].filter((model) => model !== null),
  }));
}

/** Null where the pool has no GPU, or their driver does not say. */
function vramFree({ device_mask, backend }: PoolStatus, devices: NodeDevices['devices']): number | null {
  if (backend === 'cpu') return null;
  const named = device_mask?.split(',').map((name) => name.trim().replace(/^GPU(?=\d+$)/, ''));
  const own = devices.filter(
    ({ index, uuid }) => named === undefined || named.includes(index) || named.includes(uuid ?? index),
  );
  const free = own.flatMap(({ vram_free_bytes }) => (vram_free_bytes === null ? [] : [vram_free_bytes]));
  return free.length === 0 ? null : free.reduce((sum, bytes) => sum + bytes, 0);
}
