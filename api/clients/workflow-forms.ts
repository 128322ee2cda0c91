/** What workflows are started with and what is read of them: between our words and those of Temporal's client. */
import { WorkflowFailedError, type WorkflowExecutionDescription } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { z } from 'zod';
import { provisionResult, type ProvisionInput } from '../../contracts/download.js';
import { DroverError, isErrorCode, type ErrorCode } from '../../contracts/errors.js';
import {
  drainOutcome,
  reloadOutcome,
  type ReloadPoolInput,
  preloadResult,
  type DrainPoolInput,
  type PreloadPoolInput,
} from '../../contracts/pool.js';
import { purgeOutcome, type PurgePoolInput } from '../../contracts/purge.js';
import { taskMemo, type TaskMemo } from '../../contracts/task-record.js';
import {
  CONTROL_QUEUE,
  downloadWorkflowId,
  poolWorkflowId,
  TASKS_QUEUE,
  taskWorkflowId,
  type OperationKind,
} from '../../domain/identity.js';
import { indexedRef } from '../../domain/model-source.js';
import { isTerminal, TASK_STATES, type TaskState } from '../../domain/task.js';
import type { inferTask } from '../../workflows/infer-task.js';
import { drainAskedSignal } from '../../workflows/messages.js';
import * as attribute from '../../workflows/search-attributes.js';
import type { OperationOutcome, TaskRecord, TaskStart } from './task-records.js';

/** How long a client waits before it asks again while Temporal is away. */
const RETRY_AFTER_MS = 1_000;

/** How a task's workflow is started: what operators search by, what a repeated request is answered from. */
export function inferTaskOptions(
  { nodeId, offer, admission, admittedAtMs }: TaskStart,
  afterRejection: boolean,
) {
  const { request } = offer;
  const memo: TaskMemo = {
    digest: offer.digest,
    node_id: nodeId,
    pool_id: offer.pool_id,
    admission,
    request: {
      engine: request.engine,
      model_ref: request.model_ref,
      priority: request.priority,
      admitted_at_ms: admittedAtMs,
      correlation_id: offer.correlation_id,
    },
  };
  return {
    workflowId: taskWorkflowId(offer.task_id),
    taskQueue: TASKS_QUEUE,
    // A rejected task's workflow failed, so only then may the id be used again; two at once cannot both get it.
    workflowIdReusePolicy: afterRejection
      ? ('ALLOW_DUPLICATE_FAILED_ONLY' as const)
      : ('REJECT_DUPLICATE' as const),
    requestEagerStart: true,
    args: [{ ...offer, node_id: nodeId }] as [Parameters<typeof inferTask>[0]],
    memo,
    typedSearchAttributes: [
      { key: attribute.PoolId, value: offer.pool_id },
      { key: attribute.NodeId, value: nodeId },
      { key: attribute.Engine, value: request.engine },
      { key: attribute.ModelRef, value: request.model_ref },
      { key: attribute.TaskState, value: 'queued' },
      { key: attribute.CorrelationId, value: offer.correlation_id },
    ],
    staticSummary: `${request.priority} ${request.workload} on pool ${offer.pool_id}, node ${nodeId}`,
  };
}

/** How a preload is started. One run a pool: an equal request joins the one that runs (B-PDUR-001); a finished preload may be repeated. */
export function preloadPoolOptions(input: PreloadPoolInput) {
  const { prepared } = input;
  return {
    workflowId: poolWorkflowId(prepared.pool_id, 'preload'),
    taskQueue: CONTROL_QUEUE,
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    args: [input] as [PreloadPoolInput],
    typedSearchAttributes: [
      { key: attribute.PoolId, value: prepared.pool_id },
      { key: attribute.NodeId, value: input.node_id },
      { key: attribute.Engine, value: prepared.engine },
      { key: attribute.ModelRef, value: prepared.model_ref },
      { key: attribute.CorrelationId, value: input.correlation_id },
    ],
    staticSummary: `preload pool ${prepared.pool_id} on node ${input.node_id}`,
  };
}

/** What the operations on a pool that a node has are started with; one run a pool and kind (B-PDUR-001). */
function onPool<Input extends { pool_id: string; node_id: string; correlation_id: string }>(
  kind: OperationKind,
  input: Input,
) {
  const { pool_id, node_id, correlation_id } = input;
  return {
    workflowId: poolWorkflowId(pool_id, kind),
    taskQueue: CONTROL_QUEUE,
    args: [input] as [Input],
    typedSearchAttributes: [
      { key: attribute.PoolId, value: pool_id },
      { key: attribute.NodeId, value: node_id },
      { key: attribute.CorrelationId, value: correlation_id },
    ],
    staticSummary: `${kind} pool ${pool_id} on node ${node_id}`,
  };
}

/** How a drain is started, or one that runs is told of another deadline: one run a pool (B-PDUR-001, B-CP-026). */
export function drainPoolOptions(input: DrainPoolInput) {
  const { deadline_ms } = input;
  return {
    ...onPool('drain', input),
    signal: drainAskedSignal,
    signalArgs: [{ deadline_ms }] as [{ deadline_ms: number }],
  };
}

/** How a reload is started: one run a pool, and a second one is refused (B-RELOAD-018). */
export function reloadPoolOptions(input: ReloadPoolInput) {
  return { ...onPool('reload', input), workflowIdConflictPolicy: 'FAIL' as const };
}

/** How a purge is started: one run a pool, and a second one is refused, since it may ask for something else. */
export function purgePoolOptions(input: PurgePoolInput) {
  return { ...onPool('purge', input), workflowIdConflictPolicy: 'FAIL' as const };
}

/** A task's record from what Temporal says of its workflow. @throws DroverError INTERNAL when that is none of ours */
export function recordOf(description: WorkflowExecutionDescription): TaskRecord {
  const { typedSearchAttributes: attributes } = description;
  const memo = taskMemo.safeParse(description.memo);
  if (!memo.success) {
    throw new DroverError('INTERNAL', "the task's record cannot be read", {}, { cause: memo.error });
  }
  const state = TASK_STATES.find((known) => known === attributes.get(attribute.TaskState)) ?? 'queued';
  const open = description.status.name === 'RUNNING';
  return {
    memo: memo.data,
    nodeId: attributes.get(attribute.NodeId) ?? memo.data.node_id,
    state: open ? state : closedState(state, description.status.name),
    open,
  };
}

/** A workflow that was ended from outside could not say how its task ended. */
function closedState(state: TaskState, status: string): TaskState {
  if (isTerminal(state)) return state;
  return status === 'CANCELLED' ? 'cancelled' : 'failed';
}

/** An operation on a pool: what it answers, and the code under which it fails when its workflow knows no better. */
export interface Operation<Result> {
  name: string;
  result: z.ZodType<Result>;
  failed: ErrorCode;
}

/** Preload. */
export const PRELOAD = { name: 'preload', result: preloadResult, failed: 'PRELOAD_FAILED' } as const;
/** Drain. */
export const DRAIN = { name: 'drain', result: drainOutcome, failed: 'DRAIN_FAILED' } as const;

/** Reload. */
export const RELOAD = { name: 'reload', result: reloadOutcome, failed: 'RELOAD_FAILED' } as const;

/** Purge. */
export const PURGE = { name: 'purge', result: purgeOutcome, failed: 'PURGE_FAILED' } as const;

/** Download. */
export const DOWNLOAD = { name: 'download', result: provisionResult, failed: 'DOWNLOAD_FAILED' } as const;

/** How a download is started: who asks for the same model on the same node joins the one that runs (B-MODEL-010). */
export function provisionModelOptions(input: ProvisionInput) {
  const { node_id, model_id } = input;
  const model_ref = indexedRef(input.model_ref);
  return {
    workflowId: downloadWorkflowId(node_id, model_id),
    taskQueue: CONTROL_QUEUE,
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    args: [input] as [ProvisionInput],
    typedSearchAttributes: [
      { key: attribute.NodeId, value: node_id },
      { key: attribute.ModelRef, value: model_ref },
      { key: attribute.CorrelationId, value: input.correlation_id },
    ],
    staticSummary: `fetch ${model_ref} to node ${node_id}`,
  };
}

/** How an operation ended. */
export async function outcomeOf<Result>(
  ended: Promise<unknown>,
  { name, result, failed }: Operation<Result>,
): Promise<OperationOutcome<Result>> {
  try {
    return { kind: 'done', result: result.parse(await ended) };
  } catch (err) {
    if (!(err instanceof WorkflowFailedError)) throw temporalAway(err);
    const { cause } = err;
    if (!(cause instanceof ApplicationFailure)) {
      const message = `the ${name} ${cause instanceof CancelledFailure ? 'was cancelled' : 'was ended from outside'}`;
      return { kind: 'failed', code: failed, message };
    }
    // The workflow's own types say more than there are codes; a code of ours among them is the answer's too.
    const type = cause.type ?? '';
    const details = whatItRestsOn(cause);
    return {
      kind: 'failed',
      code: isErrorCode(type) ? type : failed,
      message: cause.message,
      ...(details === undefined ? {} : { details }),
    };
  }
}

const reported = z.object({ cause: z.record(z.string(), z.unknown()) });

/** What the step that failed has said of its reasons, where it did. */
function whatItRestsOn(failure: Error): Record<string, unknown> | undefined {
  for (let at: unknown = failure; at instanceof Error; at = at.cause) {
    const said = at instanceof ApplicationFailure ? reported.safeParse(at.details?.[0]) : undefined;
    if (said?.success === true) return said.data.cause;
  }
  return undefined;
}

/** Temporal's absence, as a client may read it. */
export function temporalAway(cause: unknown): DroverError {
  return new DroverError(
    'TEMPORAL_UNAVAILABLE',
    'the record of tasks cannot be reached now',
    { retry_after_ms: RETRY_AFTER_MS, policy_label: 'retry' },
    { cause },
  );
}
