/** Preload of a pool: a durable workflow, on the node that has the pool already or has room for it (B-CP-070). */
import { DroverError } from '../../contracts/errors.js';
import type { PreparedEngine, PreloadResult } from '../../contracts/pool.js';
import { withWishes, type RestartWishes } from '../../contracts/supervision.js';
import { healthLimitMs } from '../../domain/health-limit.js';
import { deadLimits, type RestartPolicy } from '../../domain/restart-policy.js';
import type { OperationOutcome, TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { PoolBoard } from './pool-board.js';
import { answerOf, refuseBeside, type OperationAnswer } from './pool-operation.js';

/** What a preload is asked with. */
export interface PreloadOrder {
  prepared: PreparedEngine;
  waitMs: number;
  /** Until it is healthy; undefined: what such an engine gets. */
  healthTimeoutMs: number | undefined;
  /** What the pool wants otherwise than the installation says. */
  supervision: RestartWishes;
  /** Only its launch is kept, until a task asks for the engine. */
  asleep?: boolean;
}

/** Preloads a pool. @throws DroverError INVALID_PARAMS for a restart policy that contradicts itself; POOL_CONFLICT while the pool is purged; PRELOAD_FAILED, or the code under which the workflow failed */
export type PreloadPool = (
  order: PreloadOrder,
  context: RequestContext,
) => Promise<OperationAnswer<PreloadResult>>;

/** Builds preload. */
export function createPreload(
  records: TaskRecords,
  board: PoolBoard,
  defaultPolicy: RestartPolicy,
): PreloadPool {
  return async function preload(order, context) {
    const { prepared, waitMs, healthTimeoutMs, supervision: wishes, asleep = false } = order;
    const supervision = policyWith(defaultPolicy, wishes, prepared.pool_id, context);
    await refuseBeside(records, prepared.pool_id, ['purge']);
    const nodeId = await nodeFor(prepared.pool_id, board, context);
    const operationId = await records.startPreload({
      node_id: nodeId,
      correlation_id: context.correlationId,
      health_timeout_ms: healthLimitMs(prepared, healthTimeoutMs),
      prepared,
      supervision,
      ...(asleep ? { asleep } : {}),
    });
    context.log.info(
      { event: 'preload', pool_id: prepared.pool_id, engine: prepared.engine, operation_id: operationId },
      'preload started',
    );
    const outcome = await records.waitPreload(operationId, waitMs);
    // What was kept of the node's pools is from before: whoever has this answer may use the pool at once.
    board.distrust(nodeId);
    return answerOf(operationId, prepared.pool_id, inOneSentence(outcome));
  };
}

function policyWith(
  defaults: RestartPolicy,
  wishes: RestartWishes,
  pool_id: string,
  { log }: RequestContext,
): RestartPolicy {
  const { policy, problems } = withWishes(defaults, wishes);
  if (problems.length > 0) {
    const details = problems.map(({ field, problem }) => ({ field: `supervision.${field}`, problem }));
    throw new DroverError('INVALID_PARAMS', 'the restart policy contradicts itself', { pool_id, details });
  }
  for (const problem of deadLimits(policy))
    log.warn({ event: 'dead_limit', pool_id, problem }, 'a limit of the restart policy cannot be reached');
  return policy;
}

/** Where the pool is, so that a repeated preload finds the engine that runs; else the node with the fewest pools. */
async function nodeFor(poolId: string, board: PoolBoard, context: RequestContext): Promise<string> {
  const reports = await board.reports(context);
  const there = reports.filter(({ pools }) => pools !== undefined);
  const having = there.find(({ pools }) => pools?.some((pool) => pool.pool_id === poolId));
  const open = there.filter(({ drains }) => !drains);
  const [roomiest] = open.toSorted((a, b) => a.lastPools.length - b.lastPools.length);
  const chosen = having ?? roomiest;
  if (chosen !== undefined) return chosen.nodeId;
  throw new DroverError('POOL_UNAVAILABLE', 'no node can be reached', { policy_label: 'retry' });
}

/** With the words that callers of a failed preload look for (B-API-012). */
function inOneSentence(outcome: OperationOutcome<PreloadResult>): OperationOutcome<PreloadResult> {
  if (outcome.kind !== 'failed' || outcome.message.includes('preload failed')) return outcome;
  return { ...outcome, message: `preload failed: ${outcome.message}` };
}
