/** Log lines of a task's milestones, which are its narration too: fields for machines, one sentence for people. */
import type { RunView } from '../../contracts/node.js';
import type { TaskRequest } from '../../contracts/task.js';
import { story, type Story } from '../../telemetry/narration.js';

/** Fields of an admission (B-DP-026, B-DP-027); never the prompt. */
export function admissionFields(
  request: TaskRequest,
  view: RunView,
  identity: string | null,
  eager: boolean,
) {
  const { queue_position, predicted_start_ms } = view.admission;
  return {
    event: 'admitted',
    ...narration(
      'admission',
      view.pool_id,
      admissionInWords(request.priority, queue_position, predicted_start_ms),
    ),
    task_id: request.task_id,
    job_id: request.task_id,
    session_id: request.session_id,
    pool_id: view.pool_id,
    node_id: view.node_id,
    engine: view.engine,
    ...(view.engine_version === null ? {} : { engine_version: view.engine_version }),
    ...(view.replica_id === null ? {} : { replica_id: view.replica_id }),
    model_ref: request.model_ref,
    priority: request.priority,
    queue_position,
    predicted_start_ms,
    ...(view.tokens_in === null ? {} : { tokens_in: view.tokens_in }),
    tokens_out: view.tokens_out,
    ...(identity === null ? {} : { identity }),
    eager_start: eager,
  };
}

/** Fields of a cancel (B-DP-201, B-DP-202). */
export function cancelFields(taskId: string, view: Pick<RunView, 'pool_id' | 'tokens_out'> | undefined) {
  const words = `cancels the task for its client${view === undefined ? '' : ` after ${view.tokens_out} tokens`}`;
  return {
    event: 'cancel',
    ...narration('cancel', view?.pool_id ?? 'task', words),
    task_id: taskId,
    job_id: taskId,
    reason: 'client',
    ...(view === undefined ? {} : { pool_id: view.pool_id }),
  };
}

function narration(action: string, target: string, human: string): Story {
  return story('orchestratord', action, target, human);
}

/** At most 100 characters whatever the figures (B-NARR-004). */
function admissionInWords(priority: string, position: number, startMs: number): string {
  const place = position === 0 ? 'first in the queue' : `at place ${position}`;
  return `accepts the ${priority} task ${place}, starts it in about ${startMs} ms`;
}
