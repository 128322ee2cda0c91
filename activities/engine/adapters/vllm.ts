/**
 * vLLM's HTTP (docs.vllm.ai, "OpenAI-Compatible Server", 0.28): completions by token ids with `return_token_ids`, which
 * vLLM has since 0.10.2, so that a run can be continued; `/tokenize` and `/detokenize` stand outside of `/v1`.
 */
import { DroverError } from '../../../contracts/errors.js';
import type { StopReason } from '../../../domain/task.js';
import type { CompletionRequest, EngineAdapter, EngineEvent, EngineWaits } from './engine-adapter.js';
import { EngineHttp } from './engine-http.js';
import { parsed } from './event-data.js';
import { refusal } from './engine-failure.js';

interface CompletionChunk {
  choices?: {
    text?: string;
    token_ids?: number[] | null;
    finish_reason?: string | null;
    /** The stop string that matched, or the id of a stop token; null for the model's own end. */
    stop_reason?: string | number | null;
  }[];
  usage?: { prompt_tokens?: number; completion_tokens?: number } | null;
  error?: { message?: string; type?: string; code?: number };
}

/** Adapter of one vLLM server at `url`. */
export function vllmAdapter(url: string, waits: EngineWaits): EngineAdapter {
  const http = new EngineHttp(url, waits);
  let known: string | undefined;

  /** Name under which it serves its model; one server has one, whatever LoRA adapters are listed after it. */
  async function model(signal: AbortSignal): Promise<string> {
    if (known === undefined) {
      const { data } = await http.get<{ data: { id: string }[] }>('/v1/models', signal);
      known = data[0]?.id;
    }
    if (known === undefined) throw new DroverError('POOL_UNREADY', 'the engine serves no model');
    return known;
  }

  async function tokens(what: object, signal: AbortSignal): Promise<number[]> {
    const body = { model: await model(signal), ...what };
    return (await http.post<{ tokens: number[] }>('/tokenize', body, signal)).tokens;
  }

  return {
    healthy: async (signal) => (await http.statusOf('/v1/models', signal)) === 200,
    probe: async (signal) => {
      const prompt = (await tokens({ prompt: 'a' }, signal)).slice(0, 1);
      if (prompt.length === 0) throw new DroverError('POOL_UNREADY', 'the engine has no tokenizer');
      const body = { model: await model(signal), prompt, max_tokens: 1 };
      await http.post('/v1/completions', body, signal);
    },
    tokenize: (input, signal) => {
      if (input.kind === 'ids') return Promise.resolve(input.ids);
      if (input.kind === 'text') return tokens({ prompt: input.text, add_special_tokens: true }, signal);
      return tokens({ messages: input.messages, add_generation_prompt: true }, signal);
    },
    tokenizeRest: (prompt, signal) => tokens({ prompt, add_special_tokens: false }, signal),
    detokenize: async (ids, signal) => {
      const body = { model: await model(signal), tokens: ids };
      return (await http.post<{ prompt: string }>('/detokenize', body, signal)).prompt;
    },
    complete: (request, signal) => complete(http, model, request, signal),
    close: () => http.close(),
  };
}

async function* complete(
  http: EngineHttp,
  model: (signal: AbortSignal) => Promise<string>,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent[]> {
  const body = completionBody(await model(signal), request);
  const ending: Ending = { stopReason: null, stopSequence: null, tokensIn: 0, tokensOut: 0 };
  for await (const batch of http.stream('/v1/completions', body, signal)) {
    const isOver = batch.includes('[DONE]');
    const events = batch
      .filter((data) => data !== '[DONE]')
      .flatMap((data) => take(parsed(data) as CompletionChunk, ending));
    const { stopReason } = ending;
    if (isOver && stopReason !== null) {
      yield [...events, { kind: 'end', ...ending, stopReason }];
      return;
    }
    if (events.length > 0) yield events;
    if (isOver) break;
  }
  throw new DroverError('WORKER_RESET', 'the engine closed the stream before its end');
}

function completionBody(model: string, request: CompletionRequest): object {
  return {
    ...request.sampling,
    model,
    prompt: request.promptIds,
    max_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    seed: request.seed,
    stop: request.stop,
    stream: true,
    stream_options: { include_usage: true },
    return_token_ids: true,
  };
}

/** What the stream has said of its end; the figures come after the reason. */
interface Ending {
  stopReason: StopReason | null;
  stopSequence: string | null;
  tokensIn: number;
  tokensOut: number;
}

function take({ choices = [], usage, error }: CompletionChunk, ending: Ending): EngineEvent[] {
  // The status of a stream was sent long before: an error in it has its own.
  if (error !== undefined) throw refusal(error.code ?? 500, JSON.stringify({ error }));
  if (usage != null) {
    ending.tokensIn = usage.prompt_tokens ?? 0;
    ending.tokensOut = usage.completion_tokens ?? 0;
  }
  const [choice] = choices;
  if (choice === undefined) return [];
  const { text = '', token_ids, finish_reason, stop_reason } = choice;
  if (finish_reason != null) {
    ending.stopReason = stopReasonOf(finish_reason, stop_reason);
    ending.stopSequence = typeof stop_reason === 'string' ? stop_reason : null;
  }
  const ids = token_ids ?? [];
  return text === '' && ids.length === 0 ? [] : [{ kind: 'tokens', ids, text }];
}

/** @throws DroverError WORKER_RESET for a completion that the engine broke off */
function stopReasonOf(finishReason: string, stopReason: string | number | null | undefined): StopReason {
  if (finishReason === 'length') return 'MAX_TOKENS';
  if (finishReason === 'stop') return typeof stopReason === 'string' ? 'STOP_SEQUENCE' : 'EOS';
  throw new DroverError('WORKER_RESET', 'the engine broke the completion off');
}
