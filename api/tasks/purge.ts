/** Purge of a pool: a durable workflow on the node that has it (control-plane 4.4, B-CP-070). */
import { DroverError } from '../../contracts/errors.js';
import type { PurgeOutcome, PurgePoolInput } from '../../contracts/purge.js';
import { drainRefusal } from '../../domain/drain.js';
import { drainOfPurge } from '../../domain/purge.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { PoolBoard } from './pool-board.js';
import type { ReadPools } from './pool-health.js';
import { answerOf, beside, nodeOf, refuseBeside, type OperationAnswer } from './pool-operation.js';

/** What a purge is asked with. */
export type PurgeOrder = Omit<PurgePoolInput, 'node_id' | 'pool_id' | 'correlation_id'>;

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
) => Promise<OperationAnswer<PurgeOutcome>>;

/** Builds purge. */
export function createPurge(records: TaskRecords, readPools: ReadPools, board: PoolBoard): PurgePool {
  return async function purge(pool_id, order, waitMs, context) {
    const health = await readPools.healthNow(pool_id, context);
    const refusal = drainOfPurge(order) === null ? null : drainRefusal(health.state);
    if (refusal !== null) throw new DroverError('POOL_CONFLICT', refusal, { pool_id });
    const node_id = nodeOf(health);
    await refuseBeside(records, pool_id, ['drain', 'reload', 'preload']);
    const { correlationId: correlation_id, log } = context;
    const operationId = await records.startPurge({ ...order, node_id, pool_id, correlation_id });
    if (operationId === undefined) throw beside(pool_id, 'purge');
    // What was kept of the node's pools says "ready": the next task asks anew.
    board.distrust(node_id);
    log.info({ event: 'purge', pool_id, operation_id: operationId }, 'purge started');
    const outcome = await records.waitPurge(operationId, waitMs);
    if (outcome.kind !== 'running') board.distrust(node_id);
    return answerOf(operationId, pool_id, outcome);
  };
}
