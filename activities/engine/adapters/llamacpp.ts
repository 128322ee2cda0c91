/**
 * llama-server's HTTP, spoken by llama.cpp's own server and by the embedded engine. Prompts go as token ids to
 * `/completion`, always streamed, with `return_tokens`: the ids make a run continuable (design §4).
 */
import { DroverError } from '../../../contracts/errors.js';
import type { ChatInput, RunInput } from '../../../contracts/node.js';
import type { ToolUse } from '../../../contracts/tools.js';
import type { StopReason } from '../../../domain/task.js';
import { schemaOf } from './answer-format.js';
import { answerChat, hasTools } from './chat-route.js';
import type { CompletionRequest, EngineEvent, EngineAccess, IdsAdapter, Wanted } from './engine-adapter.js';
import { EngineHttp } from './engine-http.js';
import { llamacppProps } from './engine-props.js';
import { parsed } from './event-data.js';
import { cannotTellLogprobs, cannotUseTools, refusal } from './engine-failure.js';
import { ofTokens, type ToldToken } from './token-logprobs.js';
import { embeddings, scores } from './vectors.js';

interface CompletionChunk {
  content?: string;
  tokens?: number[];
  stop?: boolean;
  stop_type?: 'none' | 'eos' | 'limit' | 'word';
  stopping_word?: string;
  tokens_predicted?: number;
  tokens_evaluated?: number;
  completion_probabilities?: ToldToken[];
  error?: { code?: number; message?: string; type?: string };
}

const STOP_REASONS: Record<string, StopReason> = { eos: 'EOS', limit: 'MAX_TOKENS', word: 'STOP_SEQUENCE' };

/** Adapter of one llama-server at `url`. */
export function llamacppAdapter(url: string, access: EngineAccess): IdsAdapter {
  const http = new EngineHttp(url, access);
  return {
    takes: 'ids',
    health: (signal) => http.statusOf('/health', signal),
    props: (signal) => llamacppProps(http, signal),
    probe: async (signal) => {
      const body = {
        prompt: [await firstId(http, signal)],
        n_predict: 1,
        stream: false,
        cache_prompt: false,
      };
      await http.post('/completion', body, signal);
    },
    check: (wanted, signal) => check(http, wanted, signal),
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
    // Its server has `--embeddings` and `--reranking` for these (tools/server/README.md), and 501 where it was started without.
    embed: (request, signal) => {
      if (request.dimensions === undefined) return embeddings(http, request, {}, signal);
      const problem = 'this engine gives its vectors as long as they are';
      return Promise.reject(
        new DroverError('INVALID_PARAMS', problem, { details: [{ field: 'dimensions', problem }] }),
      );
    },
    rerank: (request, signal) => scores(http, request, {}, signal),
    // What a model thinks stays part of its answer, as it does without tools.
    answerWithTools: (request, signal) =>
      answerChat(http, request, { ...toolsOf(request.input), reasoning_format: 'none' }, signal),
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
  const body = { messages: input.messages, ...toolsOf(input) };
  return (await http.post<{ prompt: string }>('/apply-template', body, signal)).prompt;
}

/** llama-server takes a tool that is chosen by its name for "auto": it must call one, and has but that one to call. */
function toolsOf({ tool_use }: ChatInput): ToolUse | undefined {
  const choice = tool_use?.tool_choice;
  if (typeof choice !== 'object') return tool_use;
  const tools = (tool_use?.tools ?? []).filter((tool) => tool.function.name === choice.function.name);
  return { ...tool_use, tools, tool_choice: 'required' };
}

/**
 * Where the model's template knows neither tools nor calls, llama-server leaves both out in silence, and `tool_choice` binds
 * nobody. The embedded engine has none of the two, and lists no `n_probs` among its settings.
 */
async function check(http: EngineHttp, { input, logprobs }: Wanted, signal: AbortSignal): Promise<void> {
  if (!hasTools(input) && logprobs === undefined) return;
  const { chat_template_caps: caps, default_generation_settings } = await http.get<Props>('/props', signal);
  const { params } = default_generation_settings ?? {};
  const knowsNoTools = caps?.supports_tools === false && caps.supports_tool_calls === false;
  if (hasTools(input) && knowsNoTools) throw cannotUseTools();
  if (logprobs !== undefined && params !== undefined && !('n_probs' in params)) throw cannotTellLogprobs();
}

interface Props {
  /** Newer servers tell what the model's template can do. */
  chat_template_caps?: { supports_tools?: boolean; supports_tool_calls?: boolean };
  default_generation_settings?: { params?: object };
}

async function* complete(
  http: EngineHttp,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent[]> {
  for await (const batch of http.stream('/completion', completionBody(request), signal, request)) {
    const events = batch.flatMap((data) => toEvents(parsed(data) as CompletionChunk, request.logprobs));
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
    ...(request.format === undefined ? {} : { json_schema: schemaOf(request.format) }),
    // Without a token in its place llama-server tells nothing of the one that was said either.
    ...(request.logprobs === undefined ? {} : { n_probs: Math.max(1, request.logprobs) }),
    stream: true,
    return_tokens: true,
    cache_prompt: true,
  };
}

function toEvents(chunk: CompletionChunk, most: number | undefined): EngineEvent[] {
  if (chunk.error !== undefined)
    throw refusal(chunk.error.code ?? 500, JSON.stringify({ error: chunk.error }));
  const events: EngineEvent[] = [];
  const ids = chunk.tokens ?? [];
  const text = chunk.content ?? '';
  // llama-server repeats nothing in its last chunk, but may flush text that it held back for a stop word.
  if (text !== '' || (ids.length > 0 && chunk.stop !== true)) {
    const told = most === undefined ? undefined : ofTokens(chunk.completion_probabilities ?? [], most);
    events.push({ kind: 'tokens', ids, text, ...(told === undefined ? {} : { logprobs: told }) });
  }
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
