/** One answer of a conversation: put on record, followed to its end, cancelled when it is interrupted. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { cancelTask } from './cancel-task.js';
import { CliError, Interrupted, type ClientCode } from './cli-error.js';
import { followTask } from './follow-task.js';
import { headerOf, type ApiHttp } from './http.js';
import { nextStep } from './next-step.js';
import type { TaskEnd, TaskListener } from './task-reader.js';

/** What was said. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** What is asked. */
export interface ChatAsk {
  model: string;
  messages: readonly ChatMessage[];
  maxTokens: number | undefined;
  /** Further fields of the request, such as `temperature`. */
  settings: Readonly<Record<string, unknown>>;
  sessionId: string | undefined;
  onToken: (text: string) => void | Promise<void>;
  onNote: (note: string) => void;
  /** Told how far the pool is that wakes for the answer. */
  onPreparation?: TaskListener['onPreparation'];
}

/** A whole answer. */
export interface ChatAnswer {
  taskId: string;
  text: string;
  end: TaskEnd;
}

const NEVER = new AbortController().signal;
const poolCount = z.object({ pools: z.array(z.unknown()) });

/**
 * Asks for an answer.
 * @throws CliError the refusal, NO_WORKERS where nothing is there to refuse, TOKEN_STREAM_*; Interrupted, when it is cancelled
 */
export async function askChat(http: ApiHttp, ask: ChatAsk): Promise<ChatAnswer> {
  const starting = start(http.until(NEVER), ask);
  let taskId: string | undefined;
  let text = '';
  let tokens = 0;
  try {
    taskId = await orStopped(starting, http.stop);
    const end = await followTask(http, {
      ...{ taskId, maxTokens: ask.maxTokens, onNote: ask.onNote },
      ...(ask.onPreparation === undefined ? {} : { onPreparation: ask.onPreparation }),
      onToken: (token) => {
        text += token;
        tokens += 1;
        return ask.onToken(token);
      },
    });
    return { taskId, text, end };
  } catch (err) {
    // Nobody reads on: what is on record must not run for nobody.
    if (isLeft(err)) await giveUp(http, taskId ?? (await withinAcknowledge(http, starting)), ask.onNote);
    throw tokens === 0 ? err : withPart(err, { text, tokens, maxTokens: ask.maxTokens, taskId });
  }
}

/** The id of the task; a key of its own makes the request repeatable, and keeps the task while no reader is there. */
async function start(http: ApiHttp, ask: ChatAsk): Promise<string> {
  const { model, messages, maxTokens, settings, sessionId, onNote } = ask;
  const body = {
    model,
    messages,
    stream: true,
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
  };
  const { headers } = await http
    .send({
      method: 'POST',
      path: '/v1/chat/completions',
      body: { ...body, ...settings },
      headers: {
        accept: 'text/event-stream, application/json',
        'idempotency-key': randomUUID(),
        ...(sessionId === undefined ? {} : { 'x-session-id': sessionId }),
      },
      ...{ repeatable: true, headersOnly: true, limitMs: http.limits.connectMs },
      onBusy: (message, delayMs) => onNote(`${message}; asks again in ${Math.ceil(delayMs / 1_000)} s`),
    })
    .catch(async (err: unknown) => {
      throw asStreamError(await orNoWorkers(http, err));
    });
  const taskId = headerOf(headers, 'x-task-id');
  if (taskId !== undefined) return taskId;
  throw CliError.of('HTTP_REQUEST_FAILED', 'the answer does not name its task', {
    details: { expected: 'header x-task-id', actual: 'none' },
    suggestedAction: '"drover doctor" compares the versions',
  });
}

const NOWHERE = new Set(['MODEL_NOT_FOUND', 'POOL_UNREADY', 'POOL_UNAVAILABLE', 'REPLICA_EXHAUSTED']);

/** A refusal for want of a pool is another one where there is no pool at all (B-INF-032). */
async function orNoWorkers(http: ApiHttp, err: unknown): Promise<unknown> {
  if (!(err instanceof CliError) || !NOWHERE.has(err.code)) return err;
  const found = await http.json({ path: '/v2/pools' }).catch(() => undefined);
  const pools = poolCount.safeParse(found);
  if (!pools.success || pools.data.pools.length > 0) return err;
  return CliError.of('NO_WORKERS', 'no pool is there to run a model', {
    details: { operation: 'run', expected: '1 pool or more', actual: 0, cause_code: err.code },
    correlationId: err.more.correlationId,
  });
}

const OF_STREAMS: Readonly<Record<string, ClientCode>> = {
  HTTP_TIMEOUT: 'TOKEN_STREAM_TIMEOUT',
  HTTP_CONNECTION_FAILED: 'TOKEN_STREAM_ERROR',
  HTTP_READ_ERROR: 'TOKEN_STREAM_ERROR',
  HTTP_REQUEST_FAILED: 'TOKEN_STREAM_FAILED',
};

const WAIT_LONGER = 'look with "drover doctor"; --connect-timeout waits longer';

/** Whoever asks for an answer asks for a stream; what there is to do is as with any call. */
function asStreamError(err: unknown): unknown {
  const code = err instanceof CliError ? OF_STREAMS[err.code] : undefined;
  if (!(err instanceof CliError) || code === undefined) return err;
  const suggestedAction = code === 'TOKEN_STREAM_TIMEOUT' ? WAIT_LONGER : nextStep(err.code);
  return CliError.of(code, err.message, { ...err.more, suggestedAction });
}

/** A stream that broke off says how far it had come; what it had said is not lost with it (B-INF-039). */
function withPart(
  err: unknown,
  part: { text: string; tokens: number; maxTokens: number | undefined; taskId: string | undefined },
): unknown {
  if (!(err instanceof CliError) || !err.code.startsWith('TOKEN_STREAM_')) return err;
  const { text: partial_text, tokens, maxTokens: max_tokens, taskId: task_id } = part;
  const many = max_tokens === undefined ? `${tokens}` : `${tokens} / ${max_tokens}`;
  return new CliError(err.code, `${err.message}, after ${many} tokens`, {
    ...err.more,
    details: { ...err.more.details, task_id, tokens, max_tokens, partial_text },
  });
}

function orStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopped = () => reject(stop.reason as Error);
    if (stop.aborted) stopped();
    stop.addEventListener('abort', stopped, { once: true });
    work.then(resolve, reject).finally(() => stop.removeEventListener('abort', stopped));
  });
}

function isLeft(err: unknown): boolean {
  return err instanceof Interrupted || (err instanceof CliError && err.code === 'TOKEN_STREAM_TIMEOUT');
}

/** The id of a task that was being put on record when it was given up. */
async function withinAcknowledge(
  { limits }: ApiHttp,
  starting: Promise<string>,
): Promise<string | undefined> {
  return orStopped(starting, AbortSignal.timeout(limits.acknowledgeMs)).catch(() => undefined);
}

async function giveUp(http: ApiHttp, taskId: string | undefined, onNote: ChatAsk['onNote']): Promise<void> {
  if (taskId === undefined) return;
  if (await cancelTask(http, taskId)) onNote('cancelled');
  else
    onNote(
      `the cancel was not acknowledged within ${http.limits.acknowledgeMs} ms; "drover tasks cancel ${taskId}" asks again`,
    );
}
