/**
 * Tasks and pool operations on record in Temporal: the only file that knows `@temporalio/client`. Every call is bounded:
 * the SDK repeats what fails for as long as it is let, and a client of ours waits for the answer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, type DataConverter } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import { DroverError, isErrorCode } from '../../contracts/errors.js';
import { preloadResult, type PreloadPoolInput } from '../../contracts/pool.js';
import { taskMemo, type TaskMemo } from '../../contracts/task-record.js';
import { CONTROL_QUEUE, poolWorkflowId, TASKS_QUEUE, taskWorkflowId } from '../../domain/identity.js';
import { isTerminal, TASK_STATES, type TaskState } from '../../domain/task.js';
import type { inferTask } from '../../workflows/infer-task.js';
import type { preloadPool } from '../../workflows/preload-pool.js';
import * as attribute from '../../workflows/search-attributes.js';
import { createOutageWatch } from './outage-watch.js';
import type { OpenTaskRecords, PreloadOutcome, StartResult, TaskRecord, TaskStart } from './task-records.js';

/** How the records reach Temporal. */
export interface TaskRecordsOptions {
  /** Shared with the worker of queue `tasks`: only so does a workflow start in this process (design §2.2). */
  connection: NativeConnection;
  namespace: string;
  dataConverter: DataConverter;
  /** Longest wait for the record of a new task. */
  startTimeoutMs: number;
}

/** Reading and cancelling: a client waits for it, and a server that is up takes milliseconds. */
const ANSWER_TIMEOUT_MS = 3_000;
/** A probe that takes longer says "not ready" (B: `/readyz`). */
const PROBE_TIMEOUT_MS = 1_000;
/** The server's own deadline may come a little after ours; then we stop waiting for it. */
const GRACE_MS = 100;
/** How long a client waits before it asks again while Temporal is away. */
const RETRY_AFTER_MS = 1_000;

/** Records over a connection that the caller opened and closes. */
export function createTaskRecords(options: TaskRecordsOptions): OpenTaskRecords {
  const { connection, namespace, dataConverter, startTimeoutMs } = options;
  const { workflow } = new Client({ connection, namespace, dataConverter });
  const outage = createOutageWatch(probe);

  function probe(): Promise<boolean> {
    return bounded(PROBE_TIMEOUT_MS, () => connection.workflowService.getSystemInfo({})).then(
      () => true,
      () => false,
    );
  }

  async function bounded<T>(ms: number, call: () => Promise<T>): Promise<T> {
    const giveUp = new AbortController();
    const late = delay(ms + GRACE_MS, LATE, { signal: giveUp.signal });
    late.catch(() => undefined); // Aborted below: the answer came first.
    try {
      const answer = await Promise.race([connection.withDeadline(Date.now() + ms, call), late]);
      if (answer === LATE) throw new Error(`Temporal did not answer within ${ms} ms`);
      return answer;
    } finally {
      giveUp.abort();
    }
  }

  /** Like `bounded`; Temporal's absence becomes an error that a client may read, an unknown workflow `undefined`. */
  async function asked<T>(call: () => Promise<T>): Promise<T | undefined> {
    if (outage.away) throw temporalAway(undefined);
    try {
      return await bounded(ANSWER_TIMEOUT_MS, call);
    } catch (err) {
      if (err instanceof WorkflowNotFoundError) return undefined;
      outage.report();
      throw temporalAway(err);
    }
  }

  async function describe(taskId: string): Promise<TaskRecord | undefined> {
    const description = await asked(() => workflow.getHandle(taskWorkflowId(taskId)).describe());
    return description === undefined ? undefined : recordOf(description);
  }

  async function start(task: TaskStart, afterRejection = false): Promise<StartResult> {
    try {
      const handle = await bounded(startTimeoutMs, () =>
        workflow.start<typeof inferTask>('inferTask', inferTaskOptions(task, afterRejection)),
      );
      return { kind: 'started', eager: handle.eagerlyStarted };
    } catch (err) {
      if (!(err instanceof WorkflowExecutionAlreadyStartedError)) {
        outage.report();
        return { kind: 'unknown', cause: err };
      }
    }
    const record = await describe(task.offer.task_id);
    return record === undefined
      ? { kind: 'unknown', cause: new Error('the task was on record and is not any more') }
      : { kind: 'duplicate', record };
  }

  return {
    get away() {
      return outage.away;
    },
    start,
    describe,
    async reachable() {
      if (outage.away) return false;
      const isThere = await probe();
      if (!isThere) outage.report();
      return isThere;
    },
    close: () => outage.close(),
    async cancel(taskId) {
      await asked(() => workflow.getHandle(taskWorkflowId(taskId)).cancel());
    },
    async startPreload(input) {
      const handle = await asked(() =>
        workflow.start<typeof preloadPool>('preloadPool', preloadPoolOptions(input)),
      );
      if (handle === undefined) throw temporalAway(undefined);
      return handle.workflowId;
    },
    async waitPreload(operationId, waitMs) {
      const handle = workflow.getHandle<typeof preloadPool>(operationId);
      const outcome = outcomeOf(
        connection.withDeadline(Date.now() + waitMs + PROBE_TIMEOUT_MS, () => handle.result()),
      );
      const giveUp = new AbortController();
      const running = delay<PreloadOutcome>(waitMs, { kind: 'running' }, { signal: giveUp.signal });
      running.catch(() => undefined); // Aborted below: the outcome came first.
      return Promise.race([outcome, running]).finally(() => giveUp.abort());
    },
  };
}

const LATE = Symbol('late');

function inferTaskOptions({ nodeId, offer, admission, admittedAtMs }: TaskStart, afterRejection: boolean) {
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

/** One run a pool: an equal request joins the one that runs (B-PDUR-001); a finished preload may be repeated. */
function preloadPoolOptions(input: PreloadPoolInput) {
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

/** @throws DroverError INTERNAL when the workflow under a task's id is none of ours */
function recordOf(description: WorkflowExecutionDescription): TaskRecord {
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

async function outcomeOf(result: Promise<unknown>): Promise<PreloadOutcome> {
  try {
    return { kind: 'done', result: preloadResult.parse(await result) };
  } catch (err) {
    if (!(err instanceof WorkflowFailedError)) throw temporalAway(err);
    const { cause } = err;
    if (!(cause instanceof ApplicationFailure)) {
      const message = `the preload ${cause instanceof CancelledFailure ? 'was cancelled' : 'was ended from outside'}`;
      return { kind: 'failed', code: 'PRELOAD_FAILED', message };
    }
    // The workflow's own types say more than there are codes; a code of ours among them is the answer's too.
    const type = cause.type ?? '';
    return { kind: 'failed', code: isErrorCode(type) ? type : 'PRELOAD_FAILED', message: cause.message };
  }
}

function temporalAway(cause: unknown): DroverError {
  return new DroverError(
    'TEMPORAL_UNAVAILABLE',
    'the record of tasks cannot be reached now',
    { retry_after_ms: RETRY_AFTER_MS, policy_label: 'retry' },
    { cause },
  );
}
