/**
 * An engine's own chat route, in OpenAI's words (platform.openai.com/docs/api-reference/chat/create): the engine renders the
 * tools into the prompt and reads the calls out of the answer, each kind of model in its own way. No ids come of it, so an
 * answer of this route cannot be gone on with.
 */
import type { ChatInput, RunInput } from '../../../contracts/node.js';
import type { Decoding, EngineEvent } from './engine-adapter.js';
import type { EngineHttp } from './engine-http.js';
import { openaiEvents } from './openai-stream.js';

/** Where every such engine has it. */
const CHAT_ROUTE = '/v1/chat/completions';

/** Turns to answer, and how. */
export interface ChatRequest extends Decoding {
  input: ChatInput;
}

/** True for an input whose answer may call tools. */
export function hasTools(input: RunInput): input is ChatInput {
  return input.kind === 'chat' && input.tool_use !== undefined;
}

/** What such a server is told of how to complete. */
export function openaiDecoding({
  sampling,
  maxTokens,
  temperature,
  topP,
  seed,
  stop,
  format,
}: Decoding): object {
  return {
    ...sampling,
    max_tokens: maxTokens,
    temperature,
    top_p: topP,
    seed,
    stop,
    response_format: format,
    stream: true,
    stream_options: { include_usage: true },
  };
}

/**
 * Answers turns of a chat; `own` is what the engine wants beside it.
 * @throws DroverError as {@link openaiEvents}; INVALID_PARAMS for tools that the engine cannot answer with
 */
export function answerChat(
  http: EngineHttp,
  request: ChatRequest,
  own: object,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent[]> {
  const { messages, tool_use } = request.input;
  const { logprobs } = request;
  const body = {
    ...openaiDecoding(request),
    messages,
    ...tool_use,
    ...(logprobs === undefined ? {} : { logprobs: true, top_logprobs: logprobs }),
    ...own,
  };
  return openaiEvents(http.stream(CHAT_ROUTE, body, signal, request), logprobs);
}
