/**
 * Any server in OpenAI's words (platform.openai.com/docs/api-reference): `/v1/completions` for a text, which may go on, and
 * `/v1/chat/completions` for turns, which may not, since the words for that differ from server to server. Upstream paths are
 * ours alone; no client sees them (B-AD-006).
 */
import { DroverError } from '../../../contracts/errors.js';
import type { EngineWaits, TextAdapter, TextRequest } from './engine-adapter.js';
import { EngineHttp } from './engine-http.js';
import { modelOf } from './openai-model.js';
import { openaiEvents } from './openai-stream.js';

/** Adapter of one server at `url`; `live` is where it says that it serves, for one that has a better place than its models. */
export function openaiAdapter(url: string, waits: EngineWaits, live = '/v1/models'): TextAdapter {
  const http = new EngineHttp(url, waits);
  const model = modelOf(http);
  return {
    takes: 'text',
    healthy: async (signal) => (await http.statusOf(live, signal)) === 200,
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
      const { path, ...what } = whatOf(request);
      const body = { ...decodingOf(request), ...what, model: await model(signal) };
      yield* openaiEvents(http.stream(path, body, signal));
    },
    close: () => http.close(),
  };
}

function whatOf({ input, said }: TextRequest) {
  if (input.kind === 'text') return { path: '/v1/completions', prompt: input.text + said };
  if (input.kind === 'ids') return { path: '/v1/completions', prompt: input.ids };
  if (said !== '') throw new DroverError('WORKER_RESET', 'this engine does not go on amid an answer');
  return { path: '/v1/chat/completions', messages: input.messages };
}

function decodingOf({ sampling, maxTokens, temperature, topP, seed, stop }: TextRequest): object {
  return {
    ...sampling,
    max_tokens: maxTokens,
    temperature,
    top_p: topP,
    seed,
    stop,
    stream: true,
    stream_options: { include_usage: true },
  };
}
