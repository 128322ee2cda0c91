/**
 * llama-server's HTTP, spoken by llama.cpp's own server and by the embedded engine. Prompts go as token ids to
 * `/completion`, always streamed, with `return_tokens`: the ids make a run continuable (design §4).
 */
import { Pool } from 'undici';
import { DroverError } from '../../../contracts/errors.js';
import type { RunInput } from '../../../contracts/node.js';
import type { StopReason } from '../../../domain/task.js';
import type { CompletionRequest, EngineAdapter, EngineEvent, EngineWaits } from './engine-adapter.js';
import { readEventData } from './event-data.js';
import { engineFailure, refusal } from './engine-failure.js';

/** An engine on this machine accepts at once or not at all. */
const CONNECT_TIMEOUT_MS = 10_000;
/** llama-server closes idle connections after 5 s; leave before it does, or the next request is reset. */
const KEEP_ALIVE_MS = 2_000;

interface CompletionChunk {
  content?: string;
  tokens?: number[];
  stop?: boolean;
  stop_type?: 'none' | 'eos' | 'limit' | 'word';
  stopping_word?: string;
  tokens_predicted?: number;
  tokens_evaluated?: number;
  error?: { code?: number; message?: string; type?: string };
}

const STOP_REASONS: Record<string, StopReason> = { eos: 'EOS', limit: 'MAX_TOKENS', word: 'STOP_SEQUENCE' };

/** Adapter of one llama-server at `url`. */
export function llamacppAdapter(url: string, waits: EngineWaits): EngineAdapter {
  const pool = new Pool(url, {
    connections: null,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: waits.firstByteMs,
    bodyTimeout: waits.idleMs,
  });

  async function post<T>(path: string, body: unknown, signal: AbortSignal): Promise<T> {
    const answer = await send(pool, path, body, signal);
    return (await answer.json()) as T;
  }

  return {
    healthy: async (signal) => {
      const { statusCode, body } = await pool.request({ path: '/health', method: 'GET', signal });
      await body.dump();
      return statusCode === 200;
    },
    probe: async (signal) => {
      const body = {
        prompt: [await firstId(post, signal)],
        n_predict: 1,
        stream: false,
        cache_prompt: false,
      };
      await post('/completion', body, signal);
    },
    tokenize: async (input, signal) => {
      if (input.kind === 'ids') return input.ids;
      const content = await promptText(post, input, signal);
      const body = { content, add_special: true, parse_special: true };
      return (await post<{ tokens: number[] }>('/tokenize', body, signal)).tokens;
    },
    tokenizeRest: async (content, signal) => {
      const body = { content, add_special: false, parse_special: false };
      return (await post<{ tokens: number[] }>('/tokenize', body, signal)).tokens;
    },
    detokenize: async (tokens, signal) =>
      (await post<{ content: string }>('/detokenize', { tokens }, signal)).content,
    complete: (request, signal) => complete(pool, request, signal),
    close: () => pool.destroy(),
  };
}

type Post = <T>(path: string, body: unknown, signal: AbortSignal) => Promise<T>;

async function firstId(post: Post, signal: AbortSignal): Promise<number> {
  const { tokens } = await post<{ tokens: number[] }>(
    '/tokenize',
    { content: 'a', add_special: true },
    signal,
  );
  const [id] = tokens;
  if (id === undefined) throw new DroverError('POOL_UNREADY', 'the engine has no tokenizer');
  return id;
}

async function promptText(
  post: Post,
  input: Exclude<RunInput, { kind: 'ids' }>,
  signal: AbortSignal,
): Promise<string> {
  if (input.kind === 'text') return input.text;
  return (await post<{ prompt: string }>('/apply-template', { messages: input.messages }, signal)).prompt;
}

/** Sends once more when a reused connection was reset before the first byte of an answer, and only then. */
async function send(pool: Pool, path: string, body: unknown, signal: AbortSignal) {
  const options = {
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  } as const;
  const answer = await pool.request(options).catch((err: unknown) => {
    if (signal.aborted || !isReset(err)) throw engineFailure(err);
    return pool.request(options).catch((again: unknown) => {
      throw engineFailure(again);
    });
  });
  if (answer.statusCode !== 200) throw refusal(answer.statusCode, await answer.body.text());
  return answer.body;
}

function isReset(err: unknown): boolean {
  const code = (err as { code?: string }).code;
  return code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE';
}

async function* complete(
  pool: Pool,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent[]> {
  const answer = await send(pool, '/completion', completionBody(request), signal);
  try {
    for await (const batch of readEventData(answer)) {
      const events = batch.flatMap((data) => toEvents(JSON.parse(data) as CompletionChunk));
      if (events.length > 0) yield events;
      if (events.at(-1)?.kind === 'end') return;
    }
  } catch (err) {
    throw engineFailure(err);
  } finally {
    answer.on('error', () => undefined).destroy();
  }
  throw new DroverError('WORKER_RESET', 'the engine closed the stream before its end');
}

function completionBody(request: CompletionRequest): object {
  return {
    ...request.sampling,
    prompt: request.promptIds,
    n_predict: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    seed: request.seed,
    stop: request.stop,
    stream: true,
    return_tokens: true,
    cache_prompt: true,
  };
}

function toEvents(chunk: CompletionChunk): EngineEvent[] {
  if (chunk.error !== undefined)
    throw refusal(chunk.error.code ?? 500, JSON.stringify({ error: chunk.error }));
  const events: EngineEvent[] = [];
  const ids = chunk.tokens ?? [];
  const text = chunk.content ?? '';
  // llama-server repeats nothing in its last chunk, but may flush text that it held back for a stop word.
  if (text !== '' || (ids.length > 0 && chunk.stop !== true)) events.push({ kind: 'tokens', ids, text });
  if (chunk.stop === true) {
    events.push({
      kind: 'end',
      stopReason: STOP_REASONS[chunk.stop_type ?? ''] ?? 'EOS',
      stopSequence:
        chunk.stopping_word === undefined || chunk.stopping_word === '' ? null : chunk.stopping_word,
      tokensIn: chunk.tokens_evaluated ?? 0,
      tokensOut: chunk.tokens_predicted ?? 0,
    });
  }
  return events;
}
