/** What the API asks of Temporal; `temporal.ts` does it, tests have a twin in memory. */
import type { ErrorCode } from '../../contracts/errors.js';
import type { DownloadRecords } from './download-records.js';
import type { RunOffer } from '../../contracts/node.js';
import type { Operation } from '../../contracts/operation.js';
import type {
  DrainOutcome,
  DrainPoolInput,
  PreloadPoolInput,
  PreloadResult,
  ReloadOutcome,
  ReloadPoolInput,
} from '../../contracts/pool.js';
import type { PurgeOutcome, PurgePoolInput } from '../../contracts/purge.js';
import type { SupervisionView } from '../../contracts/supervision.js';
import type { TaskMemo } from '../../contracts/task-record.js';
import type { Admission } from '../../contracts/task.js';
import type { TaskState } from '../../domain/task.js';

/** A task that a node has accepted, to be put on record. */
export interface TaskStart {
  nodeId: string;
  offer: RunOffer;
  admission: Admission;
  admittedAtMs: number;
}

/** A task as Temporal has it. */
export interface TaskRecord {
  memo: TaskMemo;
  /** Where the task is now: the search attribute, which follows a re-placement, else the memo. */
  nodeId: string;
  state: TaskState;
  /** False once the workflow has ended, whichever way. */
  open: boolean;
}

/** What came of a start. `unknown`: Temporal's answer did not come in time, so the task may be on record or not. */
export type StartResult =
  | { kind: 'started'; eager: boolean }
  | { kind: 'duplicate'; record: TaskRecord }
  | { kind: 'unknown'; cause: unknown };

/** How an operation on a pool stands after the caller's wait. */
export type OperationOutcome<Result> =
  | { kind: 'done'; result: Result }
  | { kind: 'failed'; code: ErrorCode; message: string; details?: Record<string, unknown> }
  | { kind: 'running' };

/** Durable records of tasks and pool operations. Where Temporal is away, calls fail as `TEMPORAL_UNAVAILABLE`. */
export interface TaskRecords {
  /** True while Temporal is known to be away: a start would be refused. */
  readonly away: boolean;
  /** Models that nodes fetch. */
  readonly downloads: DownloadRecords;
  /**
   * Starts `inferTask` eagerly; never rejects for Temporal's absence, which is `unknown`.
   * @param afterRejection - the id's last workflow ended as `rejected`, so no task ever ran under it: start another
   */
  start(start: TaskStart, afterRejection?: boolean): Promise<StartResult>;
  describe(taskId: string): Promise<TaskRecord | undefined>;
  /** Asks the workflow to end; one that has ended, or never was, is left alone. */
  cancel(taskId: string): Promise<void>;
  /** Starts a preload, or joins the one that runs for this pool; answers with its operation id. */
  startPreload(input: PreloadPoolInput): Promise<string>;
  waitPreload(operationId: string, waitMs: number): Promise<OperationOutcome<PreloadResult>>;
  /** Starts a drain, or gives the one that runs for this pool the earlier deadline; answers with its operation id. */
  startDrain(input: DrainPoolInput): Promise<string>;
  waitDrain(operationId: string, waitMs: number): Promise<OperationOutcome<DrainOutcome>>;
  /** Starts a reload; undefined while another one runs for this pool. */
  startReload(input: ReloadPoolInput): Promise<string | undefined>;
  waitReload(operationId: string, waitMs: number): Promise<OperationOutcome<ReloadOutcome>>;
  /** Starts a purge; undefined while another one runs for this pool. */
  startPurge(input: PurgePoolInput): Promise<string | undefined>;
  waitPurge(operationId: string, waitMs: number): Promise<OperationOutcome<PurgeOutcome>>;
  /** How an operation on a pool stands; undefined where it never ran. */
  operation(operationId: string): Promise<Operation | undefined>;
  /** Closes a pool's circuits (B-SUPER-044); undefined where nobody supervises it. @param by - who asked, for the log */
  resetCircuit(poolId: string, by: string): Promise<SupervisionView | undefined>;
  /** Whether this operation on a pool runs now. */
  isRunning(operationId: string): Promise<boolean>;
  /** Asks now. */
  reachable(): Promise<boolean>;
}

/** Records that hold a connection's watch. */
export interface OpenTaskRecords extends TaskRecords {
  /** Stops watching; the connection is its owner's to close. */
  close(): void;
}
