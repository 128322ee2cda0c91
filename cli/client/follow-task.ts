/** A task's stream, from its first frame to its end. */
import { z } from 'zod';
import { taskStatus } from '../../contracts/task.js';
import { CliError } from './cli-error.js';
import { followStream } from './follow.js';
import type { ApiHttp } from './http.js';
import { checkEnd, TaskReader, type TaskEnd, type TaskListener } from './task-reader.js';

/** Which task, and what is known of it. */
export interface TaskWish extends TaskListener {
  taskId: string;
  /** `max_tokens` of the task; undefined where it is not known. */
  maxTokens?: number | undefined;
  /** Told, for a person, what is waited for. */
  onNote?: (note: string) => void;
}

/**
 * Follows a task to its end.
 * @throws CliError TOKEN_STREAM_*, NO_TOKENS_GENERATED, TOKEN_COUNT_MISMATCH, or the error that ended the task; Interrupted
 */
export async function followTask(http: ApiHttp, wish: TaskWish): Promise<TaskEnd> {
  const { taskId, onNote } = wish;
  const reader = new TaskReader(wish);
  const { connectMs, firstEventMs, idleMs } = http.limits;
  await followStream(http, {
    kind: 'TOKEN_STREAM',
    path: `/v2/tasks/${encodeURIComponent(taskId)}/events`,
    limits: {
      ...{ connectMs, firstEventMs, idleMs, commentsCount: false },
      onSilence: () => waitsInQueue(http, taskId, onNote),
    },
    take: (event) => reader.take(event),
    onCut: (reason) => onNote?.(`${reason}; connecting again`),
  });
  const { end, tokenFrames } = reader;
  if (end === undefined) throw new TypeError('a stream that was followed to its last event has an end');
  const { maxTokens } = wish;
  const asked = end.tokens_out === maxTokens ? maxTokens : await allowed(http, maxTokens, end);
  checkEnd(end, tokenFrames, asked);
  return end;
}

const queued = taskStatus.pick({ state: true, queue_position: true });

/** A task that waits for a slot is silent with good reason. */
async function waitsInQueue(http: ApiHttp, taskId: string, onNote: TaskWish['onNote']): Promise<boolean> {
  const status = queued.parse(await http.json({ path: `/v2/tasks/${encodeURIComponent(taskId)}` }));
  if (status.state !== 'queued') return false;
  onNote?.(`waits for a slot, at position ${status.queue_position ?? 0}`);
  return true;
}

const largestAnswers = z.object({ engines: z.array(z.object({ max_tokens_out: z.int() })) });

/** What was really asked of the engine: an installation has a largest answer of its own. */
async function allowed(http: ApiHttp, asked: number | undefined, end: TaskEnd): Promise<number | undefined> {
  if (asked === undefined || end.stop_reason !== 'MAX_TOKENS') return undefined;
  const found = largestAnswers.safeParse(await http.json({ path: '/v2/meta/capabilities' }));
  if (!found.success) throw CliError.of('JSON_PARSE_ERROR', 'the capabilities are not what they should be');
  return found.data.engines.some(({ max_tokens_out }) => max_tokens_out === end.tokens_out)
    ? end.tokens_out
    : asked;
}
