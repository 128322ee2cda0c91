/** Purge of a pool: a durable workflow on the node that has it (control-plane 4.4, B-CP-070). */
import { DroverError } from '../../contracts/errors.js';
import type { PurgeOutcome, PurgePoolInput } from '../../contracts/purge.js';
import { drainRefusal } from '../../domain/drain.js';
import { drainOfPurge } from '../../domain/purge.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import { beside, refuseBeside } from './drain.js';
import type { PoolBoard } from './pool-board.js';
import type { ReadPools } from './pool-health.js';

/** What a purge is asked with. */
export type PurgeOrder = Omit<PurgePoolInput, 'node_id' | 'pool_id' | 'correlation_id'>;

/** The finished purge, or the operation that goes on. */
export type PurgeAnswer = { result: PurgeOutcome } | { operationId: string };

/**
 * Purges a pool.
 * @throws DroverError POOL_NOT_FOUND; POOL_CONFLICT while another operation runs; PURGE_FAILED, or the code under which the
 *   workflow failed
 */
export type PurgePool = (
  poolId: string,
  order: PurgeOrder,
  waitMs: number,
  context: RequestContext,
) => Promise<PurgeAnswer>;

/** Builds purge. */
export function createPurge(records: TaskRecords, readPools: ReadPools, board: PoolBoard): PurgePool {
  return async function purge(pool_id, order, waitMs, context) {
    const { state, node_ids } = await readPools.health(pool_id, context);
    const refusal = drainOfPurge(order) === null ? null : drainRefusal(state);
    if (refusal !== null) throw new DroverError('POOL_CONFLICT', refusal, { pool_id });
    const [node_id] = node_ids;
    if (node_id === undefined) throw new RangeError('a pool is on a node');
    await refuseBeside(records, pool_id, ['drain', 'reload', 'preload']);
    const { correlationId: correlation_id, log } = context;
    const operationId = await records.startPurge({ ...order, node_id, pool_id, correlation_id });
    if (operationId === undefined) throw beside(pool_id, 'purge');
    // What was kept of the node's pools says "ready": the next task asks anew.
    board.distrust(node_id);
    log.info({ event: 'purge', pool_id, operation_id: operationId }, 'purge started');
    const outcome = await records.waitPurge(operationId, waitMs);
    if (outcome.kind === 'running') return { operationId };
    board.distrust(node_id);
    if (outcome.kind === 'done') return { result: outcome.result };
    throw new DroverError(outcome.code, outcome.message, { pool_id });
  };
}
