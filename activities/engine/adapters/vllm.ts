/**
 * vLLM's HTTP (docs.vllm.ai, "OpenAI-Compatible Server", 0.28): completions by token ids with `return_token_ids`, which
 * vLLM has since 0.10.2, so that a run can be continued; `/tokenize` and `/detokenize` stand outside of `/v1`.
 */
import { DroverError } from '../../../contracts/errors.js';
import { answerChat, openaiDecoding } from './chat-route.js';
import type { CompletionRequest, EngineAccess, IdsAdapter } from './engine-adapter.js';
import { EngineHttp } from './engine-http.js';
import { vllmProps } from './engine-props.js';
import { modelOf } from './openai-model.js';
import { openaiEvents } from './openai-stream.js';
import { embeddings, scores } from './vectors.js';

/** Adapter of one vLLM server at `url`. */
export function vllmAdapter(url: string, access: EngineAccess): IdsAdapter {
  const http = new EngineHttp(url, access);
  const model = modelOf(http);

  async function tokens(what: object, signal: AbortSignal): Promise<number[]> {
    const body = { model: await model(signal), ...what };
    return (await http.post<{ tokens: number[] }>('/tokenize', body, signal)).tokens;
  }

  return {
    takes: 'ids',
    health: (signal) => http.statusOf('/v1/models', signal),
    props: (signal) => vllmProps(http, signal),
    probe: async (signal) => {
      const prompt = (await tokens({ prompt: 'a' }, signal)).slice(0, 1);
      if (prompt.length === 0) throw new DroverError('POOL_UNREADY', 'the engine has no tokenizer');
      const body = { model: await model(signal), prompt, max_tokens: 1 };
      await http.post('/v1/completions', body, signal);
    },
    tokenize: (input, signal) => {
      if (input.kind === 'ids') return Promise.resolve(input.ids);
      if (input.kind === 'text') return tokens({ prompt: input.text, add_special_tokens: true }, signal);
      const { messages, tool_use } = input;
      return tokens({ messages, tools: tool_use?.tools, add_generation_prompt: true }, signal);
    },
    tokenizeRest: (prompt, signal) => tokens({ prompt, add_special_tokens: false }, signal),
    detokenize: async (ids, signal) => {
      const body = { model: await model(signal), tokens: ids };
      return (await http.post<{ prompt: string }>('/detokenize', body, signal)).prompt;
    },
    complete: async function* (request, signal) {
      const body = completionBody(await model(signal), request);
      yield* openaiEvents(http.stream('/v1/completions', body, signal, request), request.logprobs);
    },
    answerWithTools: async function* (request, signal) {
      yield* answerChat(http, request, { model: await model(signal) }, signal);
    },
    embed: async (request, signal) => embeddings(http, request, { model: await model(signal) }, signal),
    rerank: async (request, signal) => scores(http, request, { model: await model(signal) }, signal),
    close: () => http.close(),
  };
}

function completionBody(model: string, request: CompletionRequest): object {
  return {
    ...openaiDecoding(request),
    model,
    prompt: request.promptIds,
    logprobs: request.logprobs,
    return_token_ids: true,
  };
}
