/** What the operations on a pool have in common: where they run, what they exclude, what they answer (control-plane 4). */
import { DroverError } from '../../contracts/errors.js';
import type { PoolHealth } from '../../contracts/pool.js';
import { DEVICE_UNKNOWN } from '../../domain/preflight-facts.js';
import { poolWorkflowId, type OperationKind } from '../../domain/identity.js';
import type { OperationOutcome, TaskRecords } from '../clients/task-records.js';

/** The finished operation, or the one that goes on (B-CP-070). */
export type OperationAnswer<Result> = { result: Result } | { operationId: string };

/** The node whose worker does it: the pool's first. */
export function nodeOf({ node_ids: [nodeId] }: PoolHealth): string {
  if (nodeId === undefined) throw new RangeError('a pool is on a node');
  return nodeId;
}

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

/**
 * What a caller is told after its wait.
 * @throws DroverError as the workflow failed; INVALID_PARAMS where it failed for a device that the node does not have
 */
export function answerOf<Result>(
  operationId: string,
  poolId: string,
  outcome: OperationOutcome<Result>,
): OperationAnswer<Result> {
  if (outcome.kind === 'running') return { operationId };
  if (outcome.kind === 'done') return { result: outcome.result };
  const { message, details } = outcome;
  const code = details?.['cause_code'] === DEVICE_UNKNOWN ? 'INVALID_PARAMS' : outcome.code;
  throw new DroverError(code, message, {
    pool_id: poolId,
    ...(details === undefined ? {} : { details }),
  });
}
