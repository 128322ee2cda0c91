/** Pools as clients and operators see them: what all nodes say about a pool, in one body (control-plane 4.1). */
import { DroverError } from '../../contracts/errors.js';
import type { PoolHealth, PoolStatus } from '../../contracts/pool.js';
import type { CallContext } from '../clients/node-link.js';
import type { NodeReport, PoolBoard } from './pool-board.js';

/** Reads the health of pools. */
export interface ReadPools {
  /** Every known pool, sorted by id. */
  list(call: CallContext): Promise<PoolHealth[]>;
  /** @throws DroverError POOL_NOT_FOUND; POOL_UNAVAILABLE while a node that may have it is away */
  health(poolId: string, call: CallContext): Promise<PoolHealth>;
  /** The same as it is now: what somebody wants to change is not judged by what was kept. */
  healthNow(poolId: string, call: CallContext): Promise<PoolHealth>;
}

const NODE_AWAY = 'the node of the pool cannot be reached';

/** Builds the reader. */
export function createReadPools(board: PoolBoard): ReadPools {
  return {
    list: async (call) => healthOfAll(await board.reports(call)),
    health: async (poolId, call) => healthIn(await board.reports(call), poolId),
    healthNow: async (poolId, call) => healthIn(await board.reports(call, Infinity), poolId),
  };
}

function healthIn(reports: readonly NodeReport[], poolId: string): PoolHealth {
  const found = healthOfAll(reports).find((pool) => pool.pool_id === poolId);
  if (found !== undefined) return found;
  if (reports.some(({ pools }) => pools === undefined)) throw new DroverError('POOL_UNAVAILABLE', NODE_AWAY);
  throw new DroverError('POOL_NOT_FOUND', 'there is no such pool');
}

interface Placed {
  nodeId: string;
  status: PoolStatus;
}

/** One health a pool, of all that these nodes say; sorted by id. */
export function healthOfAll(reports: readonly NodeReport[]): PoolHealth[] {
  const placed = reports.flatMap(({ nodeId, pools, lastPools }) =>
    lastPools.map((status) => ({ nodeId, status: pools === undefined ? asAway(status) : status })),
  );
  const ids = new Set(placed.map(({ status }) => status.pool_id));
  return [...ids].sort().map((id) => healthOf(placed.filter(({ status }) => status.pool_id === id)));
}

/** A pool whose node is away: known, and of no use now (B-CP-016). */
function asAway(status: PoolStatus): PoolStatus {
  return { ...status, live: false, ready: false, slots_free: 0, active_leases: 0, last_error: NODE_AWAY };
}

/** The best replica speaks for the pool; slots, leases and queues add up over its nodes. */
function healthOf(placed: readonly Placed[]): PoolHealth {
  const [best] = placed.toSorted((a, b) => rank(b.status) - rank(a.status));
  if (best === undefined) throw new RangeError('a pool is on a node');
  const { queue_depth: _depth, ...shown } = best.status;
  const sum = (value: (status: PoolStatus) => number) =>
    placed.reduce((total, { status }) => total + value(status), 0);
  return {
    ...shown,
    active_leases: sum(({ active_leases }) => active_leases),
    slots_total: sum(({ slots_total }) => slots_total ?? 0),
    slots_free: sum(({ slots_free }) => slots_free ?? 0),
    metrics: { queue_depth: sum(({ queue_depth }) => queue_depth) },
    node_ids: placed.map(({ nodeId }) => nodeId).sort(),
  };
}

function rank({ ready, live }: PoolStatus): number {
  return Number(ready) * 2 + Number(live);
}
