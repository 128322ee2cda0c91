/** `GET /v2/tasks/{id}`: as the node sees the run, else as the record has it (design §2.5). */
import { DroverError } from '../../contracts/errors.js';
import { asTaskEnvelope } from '../../contracts/task-errors.js';
import type { RunView } from '../../contracts/node.js';
import type { TaskStatus } from '../../contracts/task.js';
import type { Artifacts } from '../../store/artifacts.js';
import type { NodeLink } from '../clients/node-link.js';
import type { TaskRecord, TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { TaskLocator } from './locate-task.js';

/** What the status is read from. */
export interface StatusDeps {
  nodes: NodeLink;
  records: TaskRecords;
  locator: TaskLocator;
  artifacts: Pick<Artifacts, 'transcriptOf'>;
}

/** Reads a task's status. @throws DroverError TASK_NOT_FOUND, or what stood in the way of every source */
export type ReadTaskStatus = (taskId: string, context: RequestContext) => Promise<TaskStatus>;

/** Builds the reader. */
export function createTaskStatus(deps: StatusDeps): ReadTaskStatus {
  const { nodes, records, locator, artifacts } = deps;
  return async function readTaskStatus(taskId, context) {
    const status = inCodesOfTasks(await readState(taskId, context));
    if (status.ended_at_ms === null) return status;
    const transcript = await artifacts.transcriptOf(taskId).catch(ignoreRefusal);
    return { ...status, transcript_artifact_id: transcript ?? null };
  };

  async function readState(taskId: string, context: RequestContext): Promise<TaskStatus> {
    const place = await locator.locate(taskId, context);
    if (place === undefined) throw notFound();
    if (place.record?.open === false) return statusOfRecord(taskId, place.record);
    // A node that is away lets the record answer.
    const view = await nodes.view(place.nodeId, taskId, context).catch(ignoreRefusal);
    if (view !== undefined) return statusOfRun(view);
    locator.forget(taskId);
    const record = place.record ?? (await records.describe(taskId));
    if (record === undefined) throw notFound();
    return statusOfRecord(taskId, record);
  }
}

/** What cannot be had now is left out. */
function ignoreRefusal(err: unknown): undefined {
  if (!(err instanceof DroverError)) throw err;
  return undefined;
}

function inCodesOfTasks(status: TaskStatus): TaskStatus {
  return status.error === null ? status : { ...status, error: asTaskEnvelope(status.error) };
}

function notFound(): DroverError {
  return new DroverError('TASK_NOT_FOUND', 'there is no such task');
}

function statusOfRun(view: RunView): TaskStatus {
  const {
    epoch: _epoch,
    digest: _digest,
    confirmed: _confirmed,
    ended: _ended,
    next_offset: _next,
    dialect: _dialect,
    ...shown
  } = view;
  return { ...shown, transcript_artifact_id: null };
}

function statusOfRecord(taskId: string, { memo, nodeId, state }: TaskRecord): TaskStatus {
  const { outcome, request } = memo;
  return {
    task_id: taskId,
    state: outcome?.state ?? state,
    pool_id: memo.pool_id,
    replica_id: outcome?.replica_id ?? null,
    node_id: nodeId,
    engine: request.engine,
    engine_version: outcome?.engine_version ?? null,
    model_ref: request.model_ref,
    priority: request.priority,
    queue_position: null,
    admission: memo.admission,
    admitted_at_ms: request.admitted_at_ms,
    started_at_ms: outcome?.started_at_ms ?? null,
    first_token_at_ms: outcome?.first_token_at_ms ?? null,
    ended_at_ms: outcome?.ended_at_ms ?? null,
    tokens_in: outcome?.tokens_in ?? null,
    tokens_out: outcome?.tokens_out ?? 0,
    stop_reason: outcome?.stop_reason ?? null,
    error: outcome?.error ?? null,
    transcript_artifact_id: null,
    correlation_id: request.correlation_id,
  };
}
