/** Reload of a pool: a durable workflow on the node that has it (control-plane 4.3, B-CP-070). */
import type { ReloadOutcome, ReloadPoolInput } from '../../contracts/pool.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { ReadPools } from './pool-health.js';
import { answerOf, beside, nodeOf, refuseBeside, type OperationAnswer } from './pool-operation.js';

/** What a reload is asked with. */
export type ReloadOrder = Omit<ReloadPoolInput, 'node_id' | 'pool_id' | 'correlation_id'>;

/**
 * Reloads a pool.
 * @throws DroverError POOL_NOT_FOUND; POOL_CONFLICT while another operation runs; RELOAD_FAILED, or the code under which
 *   the workflow failed
 */
export type ReloadPool = (
  poolId: string,
  order: ReloadOrder,
  waitMs: number,
  context: RequestContext,
) => Promise<OperationAnswer<ReloadOutcome>>;

/** Builds reload. */
export function createReload(records: TaskRecords, readPools: ReadPools): ReloadPool {
  return async function reload(poolId, order, waitMs, context) {
    const node_id = nodeOf(await readPools.healthNow(poolId, context));
    await refuseBeside(records, poolId, ['drain', 'preload', 'purge']);
    const operationId = await records.startReload({
      ...order,
      node_id,
      pool_id: poolId,
      correlation_id: context.correlationId,
    });
    if (operationId === undefined) throw beside(poolId, 'reload');
    context.log.info({ event: 'reload', pool_id: poolId, operation_id: operationId }, 'reload started');
    return answerOf(operationId, poolId, await records.waitReload(operationId, waitMs));
  };
}
