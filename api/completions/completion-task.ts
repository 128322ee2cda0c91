/** What the requests of OpenAI's and of Anthropic's clients have in common as tasks, and what these take for granted (design §7). */
import { createHash, randomUUID } from 'node:crypto';
import type { Dialect, RunInput } from '../../contracts/node.js';
import type { TaskRequest } from '../../contracts/task.js';
import type { AskedTask } from '../tasks/admit-task.js';

/** A client that sets no deadline waits five minutes, as OpenAI's own timeouts suggest. */
export const DEADLINE_MS = 300_000;

/** What a request brings beside its body. */
export interface CallerWishes {
  /** `Idempotency-Key`: the same key and body are the same task, also after the connection was lost. */
  idempotencyKey: string | undefined;
  /** `X-Session-Id`; a fresh session a request without it (C-191). */
  sessionId: string | undefined;
  /** Fingerprint of the caller's key: one caller's idempotency keys are none of another's. */
  identity: string | null;
  /** Largest answer that this deployment allows. */
  maxOutputTokens: number;
}

/** How a request wants its completion. */
export interface CompletionSettings {
  model: string;
  temperature?: number | null | undefined;
  top_p?: number | null | undefined;
  seed?: number | null | undefined;
  stop?: readonly string[] | undefined;
  sampling?: TaskRequest['sampling'];
  response_format?: TaskRequest['response_format'] | null;
  logprobs?: number | null;
}

/**
 * The task of a request in a client's words.
 * @param maxTokens - null: as much as fits
 */
export function completionTaskOf(
  settings: CompletionSettings,
  maxTokens: number | null,
  input: RunInput,
  dialect: Dialect,
  wishes: CallerWishes,
): AskedTask {
  const taskId = taskIdOf(wishes);
  const { stop, sampling } = settings;
  return {
    request: {
      task_id: taskId,
      session_id: wishes.sessionId ?? taskId,
      workload: 'completion',
      model_ref: settings.model,
      ctx: 0,
      priority: 'interactive',
      max_tokens: Math.min(maxTokens ?? wishes.maxOutputTokens, wishes.maxOutputTokens),
      deadline_ms: DEADLINE_MS,
      ...defined('temperature', settings.temperature),
      ...defined('top_p', settings.top_p),
      ...defined('seed', settings.seed),
      ...(stop === undefined ? {} : { stop: [...stop] }),
      ...(sampling === undefined ? {} : { sampling }),
      ...defined('response_format', settings.response_format),
      ...defined('logprobs', settings.logprobs),
      cancel_on_disconnect: wishes.idempotencyKey === undefined,
    },
    input,
    fitContext: maxTokens === null,
    dialect,
  };
}

/** A field that is there only where it has a value. */
export function defined<K extends string, V>(key: K, value: V | null | undefined): Partial<Record<K, V>> {
  return value === null || value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

/** Id of the task of a request: a fresh one, or that of its idempotency key. */
export function taskIdOf({ idempotencyKey, identity }: CallerWishes): string {
  if (idempotencyKey === undefined) return randomUUID();
  const digest = createHash('sha256')
    .update(JSON.stringify([identity, idempotencyKey]))
    .digest('hex');
  return `idem-${digest.slice(0, 40)}`;
}
