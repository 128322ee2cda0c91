/**
 * llama-server's HTTP, spoken by llama.cpp's own server and by the embedded engine. Prompts go as token ids to
 * `/completion`, always streamed, with `return_tokens`: the ids make a run continuable (design §4).
 */
import { DroverError } from '../../../contracts/errors.js';
import type { RunInput } from '../../../contracts/node.js';
import type { StopReason } from '../../../domain/task.js';
import type { CompletionRequest, EngineEvent, EngineWaits, IdsAdapter } from './engine-adapter.js';
import { EngineHttp } from './engine-http.js';
import { parsed } from './event-data.js';
import { refusal } from './engine-failure.js';

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
export function llamacppAdapter(url: string, waits: EngineWaits): IdsAdapter {
  const http = new EngineHttp(url, waits);
  return {
    takes: 'ids',
    healthy: async (signal) => (await http.statusOf('/health', signal)) === 200,
    probe: async (signal) => {
      const body = {
        prompt: [await firstId(http, signal)],
        n_predict: 1,
        stream: false,
        cache_prompt: false,
      };
      await http.post('/completion', body, signal);
    },
    tokenize: async (input, signal) => {
      if (input.kind === 'ids') return input.ids;
      const content = await promptText(http, input, signal);
      const body = { content, add_special: true, parse_special: true };
      return (await http.post<Tokenized>('/tokenize', body, signal)).tokens;
    },
    tokenizeRest: async (content, signal) => {
      const body = { content, add_special: false, parse_special: false };
      return (await http.post<Tokenized>('/tokenize', body, signal)).tokens;
    },
    detokenize: async (tokens, signal) =>
      (await http.post<{ content: string }>('/detokenize', { tokens }, signal)).content,
    complete: (request, signal) => complete(http, request, signal),
    close: () => http.close(),
  };
}

interface Tokenized {
  tokens: number[];
}

async function firstId(http: EngineHttp, signal: AbortSignal): Promise<number> {
  const body = { content: 'a', add_special: true };
  const [id] = (await http.post<Tokenized>('/tokenize', body, signal)).tokens;
  if (id === undefined) throw new DroverError('POOL_UNREADY', 'the engine has no tokenizer');
  return id;
}

async function promptText(
  http: EngineHttp,
  input: Exclude<RunInput, { kind: 'ids' }>,
  signal: AbortSignal,
): Promise<string> {
  if (input.kind === 'text') return input.text;
  return (await http.post<{ prompt: string }>('/apply-template', { messages: input.messages }, signal))
    .prompt;
}

async function* complete(
  http: EngineHttp,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent[]> {
  for await (const batch of http.stream('/completion', completionBody(request), signal)) {
    const events = batch.flatMap((data) => toEvents(parsed(data) as CompletionChunk));
    if (events.length > 0) yield events;
    if (events.at(-1)?.kind === 'end') return;
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
