/**
 * Any server in OpenAI's words (platform.openai.com/docs/api-reference): `/v1/completions` for a text, which may go on, and
 * `/v1/chat/completions` for turns, which may not, since the words for that differ from server to server. Upstream paths are
 * ours alone; no client sees them (B-AD-006).
 */
import { DroverError } from '../../../contracts/errors.js';
import { answerChat, openaiDecoding } from './chat-route.js';
import type { EngineEvent, EngineAccess, TextAdapter, TextRequest } from './engine-adapter.js';
import { EngineHttp } from './engine-http.js';
import type { EngineProps } from './engine-props.js';
import { modelOf } from './openai-model.js';
import { openaiEvents } from './openai-stream.js';
import { embeddings, scores } from './vectors.js';

/** What such a server has beside OpenAI's words. */
export interface OwnWords {
  /** Where it says that it serves. */
  live: string;
  props: (http: EngineHttp, signal: AbortSignal) => Promise<EngineProps>;
}

/** Adapter of one server at `url`. */
export function openaiAdapter(url: string, access: EngineAccess, { live, props }: OwnWords): TextAdapter {
  const http = new EngineHttp(url, access);
  const model = modelOf(http);
  return {
    takes: 'text',
    health: (signal) => http.statusOf(live, signal),
    props: (signal) => props(http, signal),
    probe: async (signal) => {
      const messages = [{ role: 'user', content: 'a' }];
      await http.post(
        '/v1/chat/completions',
        { model: await model(signal), messages, max_tokens: 1 },
        signal,
      );
    },
    goesOn: (kind) => kind === 'text',
    complete: async function* (request, signal) {
      yield* complete(http, request, await model(signal), signal);
    },
    embed: async (request, signal) => embeddings(http, request, { model: await model(signal) }, signal),
    rerank: async (request, signal) => scores(http, request, { model: await model(signal) }, signal),
    close: () => http.close(),
  };
}

function complete(
  http: EngineHttp,
  request: TextRequest,
  model: string,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent[]> {
  const { input, said, logprobs } = request;
  if (input.kind === 'chat') {
    if (said !== '') throw new DroverError('WORKER_RESET', 'this engine does not go on amid an answer');
    return answerChat(http, { ...request, input }, { model }, signal);
  }
  const prompt = input.kind === 'text' ? input.text + said : input.ids;
  const body = { ...openaiDecoding(request), prompt, logprobs, model };
  return openaiEvents(http.stream('/v1/completions', body, signal, request), logprobs);
}
