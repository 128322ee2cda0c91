/** Drain of a pool: a durable workflow on the node that has it (control-plane 4.2, B-CP-070). */
import { DroverError } from '../../contracts/errors.js';
import type { DrainOutcome } from '../../contracts/pool.js';
import { poolWorkflowId, type OperationKind } from '../../domain/identity.js';
import { drainRefusal } from '../../domain/drain.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { PoolBoard } from './pool-board.js';
import type { ReadPools } from './pool-health.js';

/** What a drain is asked with. */
export interface DrainOrder {
  poolId: string;
  deadlineMs: number;
  waitMs: number;
}

/** The finished drain, or the operation that goes on. */
export type DrainAnswer = { result: DrainOutcome } | { operationId: string };

/** Drains a pool. @throws DroverError POOL_NOT_FOUND, POOL_CONFLICT, or the code under which the workflow failed */
export type DrainPool = (order: DrainOrder, context: RequestContext) => Promise<DrainAnswer>;

/** The refusal of an operation on a pool while this one runs. */
export function beside(poolId: string, kind: OperationKind): DroverError {
  const message = `another operation on the pool runs: ${poolWorkflowId(poolId, kind)}`;
  return new DroverError('POOL_CONFLICT', message, { pool_id: poolId });
}

/** @throws DroverError POOL_CONFLICT naming one of these operations on the pool that runs (B-CP-037) */
export async function refuseBeside(
  records: TaskRecords,
  poolId: string,
  kinds: readonly OperationKind[],
): Promise<void> {
  const ask = async (kind: OperationKind) => {
    if (await records.isRunning(poolWorkflowId(poolId, kind))) throw beside(poolId, kind);
  };
  await Promise.all(kinds.map(ask));
}

/** Builds drain. */
export function createDrain(records: TaskRecords, readPools: ReadPools, board: PoolBoard): DrainPool {
  return async function drain({ poolId, deadlineMs, waitMs }, context) {
    const { state, node_ids } = await readPools.health(poolId, context);
    const refusal = drainRefusal(state);
    if (refusal !== null) throw new DroverError('POOL_CONFLICT', refusal, { pool_id: poolId });
    await refuseBeside(records, poolId, ['reload', 'purge']);
    const [nodeId] = node_ids;
    if (nodeId === undefined) throw new RangeError('a pool is on a node');
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
    const outcome = await records.waitDrain(operationId, waitMs);
    if (outcome.kind === 'running') return { operationId };
    if (outcome.kind === 'done') return { result: outcome.result };
    throw new DroverError(outcome.code, outcome.message, { pool_id: poolId });
  };
}
