/**
 * Tasks and pool operations on record in Temporal. Every call is bounded:
 * the SDK repeats what fails for as long as it is let, and a client of ours waits for the answer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import type { Operation as OperationView } from '../../contracts/operation.js';
import type { DrainPoolInput, PreloadPoolInput, ReloadPoolInput } from '../../contracts/pool.js';
import type { PurgePoolInput } from '../../contracts/purge.js';
import { poolWorkflowId, taskWorkflowId } from '../../domain/identity.js';
import type { drainPool } from '../../workflows/drain-pool.js';
import type { inferTask } from '../../workflows/infer-task.js';
import { operationStepsQuery, resetCircuitUpdate } from '../../workflows/messages.js';
import type { preloadPool } from '../../workflows/preload-pool.js';
import type { purgePool } from '../../workflows/purge-pool.js';
import type { reloadPool } from '../../workflows/reload-pool.js';
import { temporalDownloads } from './downloads.js';
import type { DownloadRecords } from './download-records.js';
import { createOutageWatch } from './outage-watch.js';
import { readOperation } from './read-operation.js';
import type {
  OpenTaskRecords,
  OperationOutcome,
  StartResult,
  TaskRecord,
  TaskStart,
} from './task-records.js';
import {
  DRAIN,
  drainPoolOptions,
  inferTaskOptions,
  outcomeOf,
  PRELOAD,
  preloadPoolOptions,
  PURGE,
  purgePoolOptions,
  recordOf,
  RELOAD,
  reloadPoolOptions,
  temporalAway,
  type Operation,
} from './workflow-forms.js';

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
/** Steps are told by a control worker, which may be away: the rest of an operation can be told without. */
const STEPS_TIMEOUT_MS = 1_000;
/** A probe that takes longer says "not ready" (B: `/readyz`). */
const PROBE_TIMEOUT_MS = 1_000;
/** The server's own deadline may come a little after ours; then we stop waiting for it. */
const GRACE_MS = 100;
/** What a race answers when nothing else did. */
const LATE = Symbol('late');

/** Records over a connection that the caller opened and closes. */
export function createTaskRecords(options: TaskRecordsOptions): OpenTaskRecords {
  return new TemporalRecords(options);
}

class TemporalRecords implements OpenTaskRecords {
  private readonly workflow: Client['workflow'];
  private readonly connection: NativeConnection;
  private readonly startTimeoutMs: number;
  private readonly outage = createOutageWatch(() => this.probe());
  readonly downloads: DownloadRecords;

  constructor({ connection, namespace, dataConverter, startTimeoutMs }: TaskRecordsOptions) {
    this.workflow = new Client({ connection, namespace, dataConverter }).workflow;
    this.downloads = temporalDownloads({
      workflow: this.workflow,
      dataConverter,
      asked: (call) => this.asked(call),
      wait: (id, waitMs, form) => this.wait(id, waitMs, form),
    });
    this.connection = connection;
    this.startTimeoutMs = startTimeoutMs;
  }

  get away(): boolean {
    return this.outage.away;
  }

  async start(task: TaskStart, afterRejection = false): Promise<StartResult> {
    try {
      const handle = await this.bounded(this.startTimeoutMs, () =>
        this.workflow.start<typeof inferTask>('inferTask', inferTaskOptions(task, afterRejection)),
      );
      return { kind: 'started', eager: handle.eagerlyStarted };
    } catch (err) {
      if (!(err instanceof WorkflowExecutionAlreadyStartedError)) {
        this.outage.report();
        return { kind: 'unknown', cause: err };
      }
    }
    const record = await this.describe(task.offer.task_id);
    return record === undefined
      ? { kind: 'unknown', cause: new Error('the task was on record and is not any more') }
      : { kind: 'duplicate', record };
  }

  async describe(taskId: string): Promise<TaskRecord | undefined> {
    const description = await this.asked(() => this.workflow.getHandle(taskWorkflowId(taskId)).describe());
    return description === undefined ? undefined : recordOf(description);
  }

  async cancel(taskId: string): Promise<void> {
    await this.asked(() => this.workflow.getHandle(taskWorkflowId(taskId)).cancel());
  }

  async startPreload(input: PreloadPoolInput): Promise<string> {
    const handle = await this.asked(() =>
      this.workflow.start<typeof preloadPool>('preloadPool', preloadPoolOptions(input)),
    );
    if (handle === undefined) throw temporalAway(undefined);
    return handle.workflowId;
  }

  waitPreload(operationId: string, waitMs: number) {
    return this.wait(operationId, waitMs, PRELOAD);
  }

  async startDrain(input: DrainPoolInput): Promise<string> {
    const handle = await this.asked(() =>
      this.workflow.signalWithStart<typeof drainPool, [{ deadline_ms: number }]>(
        'drainPool',
        drainPoolOptions(input),
      ),
    );
    if (handle === undefined) throw temporalAway(undefined);
    return handle.workflowId;
  }

  waitDrain(operationId: string, waitMs: number) {
    return this.wait(operationId, waitMs, DRAIN);
  }

  startReload(input: ReloadPoolInput): Promise<string | undefined> {
    return this.startUnlessRunning(() =>
      this.workflow.start<typeof reloadPool>('reloadPool', reloadPoolOptions(input)),
    );
  }

  waitReload(operationId: string, waitMs: number) {
    return this.wait(operationId, waitMs, RELOAD);
  }

  startPurge(input: PurgePoolInput): Promise<string | undefined> {
    return this.startUnlessRunning(() =>
      this.workflow.start<typeof purgePool>('purgePool', purgePoolOptions(input)),
    );
  }

  waitPurge(operationId: string, waitMs: number) {
    return this.wait(operationId, waitMs, PURGE);
  }

  /** The id of what was started; undefined where it runs already. */
  private async startUnlessRunning(
    start: () => Promise<{ workflowId: string }>,
  ): Promise<string | undefined> {
    const started = await this.asked(async () => {
      try {
        return { operationId: (await start()).workflowId };
      } catch (err) {
        if (err instanceof WorkflowExecutionAlreadyStartedError) return { operationId: undefined };
        throw err;
      }
    });
    if (started === undefined) throw temporalAway(undefined);
    return started.operationId;
  }

  async operation(operationId: string): Promise<OperationView | undefined> {
    const handle = this.workflow.getHandle(operationId);
    const described = await this.asked(() => handle.describe());
    if (described === undefined) return undefined;
    const run = this.workflow.getHandle(operationId, described.runId);
    const steps = await this.bounded(STEPS_TIMEOUT_MS, () => run.query(operationStepsQuery)).catch(() => []);
    const limit = Date.now() + ANSWER_TIMEOUT_MS;
    const result =
      described.status.name === 'RUNNING'
        ? undefined
        : this.connection.withDeadline(limit, () => run.result());
    return readOperation({ described, steps, result });
  }

  resetCircuit(poolId: string, by: string) {
    const supervisor = this.workflow.getHandle(poolWorkflowId(poolId, 'supervise'));
    return this.asked(() => supervisor.executeUpdate(resetCircuitUpdate, { args: [{ by }] }));
  }

  async isRunning(operationId: string): Promise<boolean> {
    const described = await this.asked(() => this.workflow.getHandle(operationId).describe());
    return described?.status.name === 'RUNNING';
  }

  private async wait<Result>(
    operationId: string,
    waitMs: number,
    operation: Operation<Result>,
  ): Promise<OperationOutcome<Result>> {
    const handle = this.workflow.getHandle(operationId);
    const limit = Date.now() + waitMs + PROBE_TIMEOUT_MS;
    const outcome = outcomeOf(
      this.connection.withDeadline(limit, () => handle.result()),
      operation,
    );
    const giveUp = new AbortController();
    const running = delay<OperationOutcome<Result>>(waitMs, { kind: 'running' }, { signal: giveUp.signal });
    running.catch(() => undefined); // Aborted below: the outcome came first.
    return Promise.race([outcome, running]).finally(() => giveUp.abort());
  }

  async reachable(): Promise<boolean> {
    if (this.outage.away) return false;
    const isThere = await this.probe();
    if (!isThere) this.outage.report();
    return isThere;
  }

  close(): void {
    this.outage.close();
  }

  private probe(): Promise<boolean> {
    const { workflowService } = this.connection;
    return this.bounded(PROBE_TIMEOUT_MS, () => workflowService.getSystemInfo({})).then(
      () => true,
      () => false,
    );
  }

  /** Like `bounded`; Temporal's absence becomes an error that a client may read, an unknown workflow `undefined`. */
  private async asked<T>(call: () => Promise<T>): Promise<T | undefined> {
    if (this.outage.away) throw temporalAway(undefined);
    try {
      return await this.bounded(ANSWER_TIMEOUT_MS, call);
    } catch (err) {
      if (err instanceof WorkflowNotFoundError) return undefined;
      this.outage.report();
      throw temporalAway(err);
    }
  }

  private async bounded<T>(ms: number, call: () => Promise<T>): Promise<T> {
    const giveUp = new AbortController();
    const late = delay(ms + GRACE_MS, LATE, { signal: giveUp.signal });
    late.catch(() => undefined); // Aborted below: the answer came first.
    try {
      const answer = await Promise.race([this.connection.withDeadline(Date.now() + ms, call), late]);
      if (answer === LATE) throw new Error(`Temporal did not answer within ${ms} ms`);
      return answer;
    } finally {
      giveUp.abort();
    }
  }
}
