/** Drain of a pool: a durable workflow on the node that has it (control-plane 4.2, B-CP-070). */
import { DroverError } from '../../contracts/errors.js';
import type { DrainOutcome } from '../../contracts/pool.js';
import { drainRefusal } from '../../domain/drain.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { PoolBoard } from './pool-board.js';
import type { ReadPools } from './pool-health.js';
import { answerOf, nodeOf, refuseBeside, type OperationAnswer } from './pool-operation.js';

/** What a drain is asked with. */
export interface DrainOrder {
  poolId: string;
  deadlineMs: number;
  waitMs: number;
}

/** Drains a pool. @throws DroverError POOL_NOT_FOUND, POOL_CONFLICT, or the code under which the workflow failed */
export type DrainPool = (
  order: DrainOrder,
  context: RequestContext,
) => Promise<OperationAnswer<DrainOutcome>>;

/** Builds drain. */
export function createDrain(records: TaskRecords, readPools: ReadPools, board: PoolBoard): DrainPool {
  return async function drain({ poolId, deadlineMs, waitMs }, context) {
    const health = await readPools.healthNow(poolId, context);
    const refusal = drainRefusal(health.state);
    if (refusal !== null) throw new DroverError('POOL_CONFLICT', refusal, { pool_id: poolId });
    await refuseBeside(records, poolId, ['reload', 'purge']);
    const nodeId = nodeOf(health);
    const operationId = await records.startDrain({
      node_id: nodeId,
      pool_id: poolId,
      correlation_id: context.correlationId,
      deadline_ms: deadlineMs,
    });
    // What was kept of the node's pools says "ready": the next task asks anew (B-CP-024).
    board.distrust(nodeId);
    context.log.info(
      { event: 'drain', pool_id: poolId, deadline_ms: deadlineMs, operation_id: operationId },
      'drain started',
    );
    return answerOf(operationId, poolId, await records.waitDrain(operationId, waitMs));
  };
}
