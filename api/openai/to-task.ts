/** An OpenAI request as a task: the same durable task as on `/v2`, with what OpenAI's clients take for granted (design §7). */
import { createHash, randomUUID } from 'node:crypto';
import type { Dialect, RunInput } from '../../contracts/node.js';
import type { ChatRequest, CompletionRequest } from '../../contracts/openai.js';
import type { AskedTask } from '../tasks/admit-task.js';

/** A client that sets no deadline waits five minutes, as OpenAI's own timeouts suggest. */
const DEADLINE_MS = 300_000;

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

/** The task of a chat request. */
export function chatTask(body: ChatRequest, wishes: CallerWishes): AskedTask {
  const messages = body.messages.map(({ role, content }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : (content ?? []).map(({ text }) => text).join(''),
  }));
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  return taskOf(body, maxTokens, { kind: 'chat', messages }, 'chat.completion', wishes);
}

/** The task of a text completion request. */
export function completionTask(body: CompletionRequest, wishes: CallerWishes): AskedTask {
  return taskOf(body, body.max_tokens, inputOf(body.prompt), 'text_completion', wishes);
}

function inputOf(prompt: CompletionRequest['prompt']): RunInput {
  if (typeof prompt === 'string') return { kind: 'text', text: prompt };
  const ids = prompt.filter((item) => typeof item === 'number');
  return ids.length > 0 ? { kind: 'ids', ids } : { kind: 'text', text: prompt.join('') };
}

function taskOf(
  body: ChatRequest | CompletionRequest,
  maxTokens: number | null | undefined,
  input: RunInput,
  object: Dialect['object'],
  wishes: CallerWishes,
): AskedTask {
  const taskId = taskIdOf(wishes);
  const { stop } = body;
  return {
    request: {
      task_id: taskId,
      session_id: wishes.sessionId ?? taskId,
      workload: 'completion',
      model_ref: body.model,
      ctx: 0,
      priority: 'interactive',
      max_tokens: Math.min(maxTokens ?? wishes.maxOutputTokens, wishes.maxOutputTokens),
      deadline_ms: DEADLINE_MS,
      ...defined('temperature', body.temperature),
      ...defined('top_p', body.top_p),
      ...defined('seed', body.seed),
      ...(stop === undefined || stop === null ? {} : { stop: typeof stop === 'string' ? [stop] : stop }),
      ...samplingOf(body),
      cancel_on_disconnect: wishes.idempotencyKey === undefined,
    },
    input,
    fitContext: maxTokens === undefined || maxTokens === null,
    dialect: { object, include_usage: body.stream_options?.include_usage === true },
  };
}

function samplingOf({ top_k, min_p, presence_penalty, frequency_penalty }: ChatRequest | CompletionRequest) {
  const sampling = {
    ...defined('top_k', top_k),
    ...defined('min_p', min_p),
    ...defined('presence_penalty', presence_penalty),
    ...defined('frequency_penalty', frequency_penalty),
  };
  return Object.keys(sampling).length === 0 ? {} : { sampling };
}

function defined<K extends string, V>(key: K, value: V | null | undefined): Partial<Record<K, V>> {
  return value === null || value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function taskIdOf({ idempotencyKey, identity }: CallerWishes): string {
  if (idempotencyKey === undefined) return randomUUID();
  const digest = createHash('sha256')
    .update(JSON.stringify([identity, idempotencyKey]))
    .digest('hex');
  return `idem-${digest.slice(0, 40)}`;
}
