/** `GET /v2/tasks/{id}`: as the node sees the run, else as the record has it (design §2.5). */
import { DroverError } from '../../contracts/errors.js';
import type { RunView } from '../../contracts/node.js';
import type { TaskStatus } from '../../contracts/task.js';
import type { NodeLink } from '../clients/node-link.js';
import type { TaskRecord, TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { TaskLocator } from './locate-task.js';

/** What the status is read from. */
export interface StatusDeps {
  nodes: NodeLink;
  records: TaskRecords;
  locator: TaskLocator;
}

/** Reads a task's status. @throws DroverError TASK_NOT_FOUND, or what stood in the way of every source */
export type ReadTaskStatus = (taskId: string, context: RequestContext) => Promise<TaskStatus>;

/** Builds the reader. */
export function createTaskStatus({ nodes, records, locator }: StatusDeps): ReadTaskStatus {
  return async function readTaskStatus(taskId, context) {
    const place = await locator.locate(taskId, context);
    if (place === undefined) throw notFound();
    if (place.record?.open === false) return statusOfRecord(taskId, place.record);
    const view = await nodes.view(place.nodeId, taskId, context).catch((err: unknown) => {
      if (err instanceof DroverError) return undefined; // The node is away: the record answers.
      throw err;
    });
    if (view !== undefined) return statusOfRun(view);
    locator.forget(taskId);
    const record = place.record ?? (await records.describe(taskId));
    if (record === undefined) throw notFound();
    return statusOfRecord(taskId, record);
  };
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
