/** Records in memory, for the API's own tests: ids are unique, and Temporal can be made to be away or not to answer. */
import type { Download, ProvisionInput } from '../../contracts/download.js';
import { downloadWorkflowId } from '../../domain/identity.js';
import type { DownloadRecords } from '../clients/download-records.js';
import { DroverError } from '../../contracts/errors.js';
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
import type {
  OperationOutcome,
  StartResult,
  TaskRecord,
  TaskRecords,
  TaskStart,
} from '../clients/task-records.js';

/** Downloads in memory: each stands as the test says. */
class MemoryDownloads implements DownloadRecords {
  readonly started: ProvisionInput[] = [];
  readonly told: string[] = [];
  readonly known = new Map<string, Download>();
  /** How a download stands that was just started; undefined: it fetches its first bytes. */
  atStart: Partial<Download> = {};

  start(input: ProvisionInput): Promise<string> {
    this.started.push(input);
    const download_id = downloadWorkflowId(input.node_id, input.model_id);
    const { model_id, model_ref, node_id, digest } = input;
    this.known.set(download_id, {
      ...{ download_id, model_id, model_ref, node_id, digest, status: 'running', state: 'downloading' },
      ...{ bytes_downloaded: 0, bytes_total: null, bytes_per_second: 0, eta_ms: null, attempt: 1 },
      ...{ files_done: 0, files_total: 1, last_error: null, local_path: null, error: null, ...this.atStart },
    });
    return Promise.resolve(download_id);
  }

  wait = () => Promise.resolve();
  read = (id: string) => Promise.resolve(this.known.get(id));
  tell = (id: string, what: 'pause' | 'resume' | 'cancel') => {
    this.told.push(`${what} ${id}`);
    return Promise.resolve();
  };
}

/** Records in memory. */
export class MemoryRecords implements TaskRecords {
  readonly tasks = new Map<string, TaskRecord>();
  readonly downloads = new MemoryDownloads();
  readonly starts: TaskStart[] = [];
  readonly cancelled: string[] = [];
  readonly preloads: PreloadPoolInput[] = [];
  /** Temporal is away: nothing answers. */
  down = false;
  /** Whether the absence is known already. */
  away = false;
  /** A start takes effect, but its answer is lost. */
  loseAnswers = false;
  preloadOutcome: OperationOutcome<PreloadResult> = { kind: 'running' };
  readonly reloads: ReloadPoolInput[] = [];
  reloadOutcome: OperationOutcome<ReloadOutcome> = { kind: 'running' };
  readonly purges: PurgePoolInput[] = [];
  purgeOutcome: OperationOutcome<PurgeOutcome> = { kind: 'running' };
  readonly operations = new Map<string, Operation>();
  readonly resets: { poolId: string; by: string }[] = [];
  /** What a supervisor answers; undefined: there is none. */
  supervision: SupervisionView | undefined;
  /** Ids of the operations that run. */
  readonly running = new Set<string>();
  readonly drains: DrainPoolInput[] = [];
  drainOutcome: OperationOutcome<DrainOutcome> = { kind: 'running' };

  async start(task: TaskStart, afterRejection = false): Promise<StartResult> {
    this.starts.push(task);
    if (this.down) return Promise.resolve({ kind: 'unknown', cause: new Error('deadline exceeded') });
    const { task_id } = task.offer;
    const record = this.tasks.get(task_id);
    if (record !== undefined && !(afterRejection && record.state === 'rejected')) {
      return Promise.resolve({ kind: 'duplicate', record });
    }
    this.tasks.set(task_id, recordOf(task));
    if (this.loseAnswers) return { kind: 'unknown', cause: new Error('deadline exceeded') };
    return { kind: 'started', eager: true };
  }

  async describe(taskId: string): Promise<TaskRecord | undefined> {
    this.mustAnswer();
    return Promise.resolve(this.tasks.get(taskId));
  }

  /** Its workflow has put on record where the task is now. */
  moved(taskId: string, nodeId: string): void {
    const record = this.tasks.get(taskId);
    if (record === undefined) throw new Error(`no record of ${taskId}`);
    this.tasks.set(taskId, { ...record, nodeId });
  }

  async cancel(taskId: string): Promise<void> {
    this.mustAnswer();
    this.cancelled.push(taskId);
    return Promise.resolve();
  }

  async startPreload(input: PreloadPoolInput): Promise<string> {
    this.mustAnswer();
    this.preloads.push(input);
    return Promise.resolve(`pool:${input.prepared.pool_id}:preload`);
  }

  async waitPreload(): Promise<OperationOutcome<PreloadResult>> {
    return Promise.resolve(this.preloadOutcome);
  }

  async startDrain(input: DrainPoolInput): Promise<string> {
    this.mustAnswer();
    this.drains.push(input);
    return Promise.resolve(`pool:${input.pool_id}:drain`);
  }

  async waitDrain(): Promise<OperationOutcome<DrainOutcome>> {
    return Promise.resolve(this.drainOutcome);
  }

  async startReload(input: ReloadPoolInput): Promise<string | undefined> {
    this.mustAnswer();
    const operationId = `pool:${input.pool_id}:reload`;
    if (this.running.has(operationId)) return undefined;
    this.reloads.push(input);
    return Promise.resolve(operationId);
  }

  async waitReload(): Promise<OperationOutcome<ReloadOutcome>> {
    return Promise.resolve(this.reloadOutcome);
  }

  async startPurge(input: PurgePoolInput): Promise<string | undefined> {
    this.mustAnswer();
    const operationId = `pool:${input.pool_id}:purge`;
    if (this.running.has(operationId)) return undefined;
    this.purges.push(input);
    return Promise.resolve(operationId);
  }

  async waitPurge(): Promise<OperationOutcome<PurgeOutcome>> {
    return Promise.resolve(this.purgeOutcome);
  }

  async operation(operationId: string): Promise<Operation | undefined> {
    this.mustAnswer();
    return Promise.resolve(this.operations.get(operationId));
  }

  async resetCircuit(poolId: string, by: string): Promise<SupervisionView | undefined> {
    this.mustAnswer();
    this.resets.push({ poolId, by });
    return Promise.resolve(this.supervision);
  }

  async isRunning(operationId: string): Promise<boolean> {
    return Promise.resolve(this.running.has(operationId));
  }

  async reachable(): Promise<boolean> {
    return Promise.resolve(!this.down);
  }

  private mustAnswer(): void {
    if (!this.down) return;
    throw new DroverError('TEMPORAL_UNAVAILABLE', 'the record of tasks cannot be reached now', {
      retry_after_ms: 1_000,
    });
  }
}

/** The record of a task that has just been started. */
export function recordOf({ nodeId, offer, admission, admittedAtMs }: TaskStart): TaskRecord {
  const { request } = offer;
  return {
    memo: {
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
    },
    nodeId,
    state: 'queued',
    open: true,
  };
}
