/** `POST /v1/chat/completions` and `POST /v1/completions`, as OpenAI's clients speak them. */
import { randomBytes } from 'node:crypto';
import { describeTimings } from './completion-route.js';
import { readSettings } from './generation-request.js';
import { generate, type Ending } from './generate.js';
import type { Exchange } from './http-exchange.js';
import type { TokenId } from './llama-types.js';
import type { Engine } from './load-engine.js';
import { readPrompt } from './prompt.js';
import type { Fields } from './request-fields.js';

/** What the two routes differ in. */
interface Dialect {
  readonly object: string;
  readonly chunkObject: string;
  /** The choice of a whole answer. */
  whole(text: string, finishReason: string): Record<string, unknown>;
  /** The choice of the chunk before any text, if there is one. */
  opening(): Record<string, unknown> | undefined;
  /** The choice of a chunk with text. */
  part(text: string): Record<string, unknown>;
  /** The choice of the chunk that ends the answer. */
  closing(finishReason: string): Record<string, unknown>;
}

const CHAT: Dialect = {
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  whole: (content, finish_reason) => ({ finish_reason, index: 0, message: { role: 'assistant', content } }),
  opening: () => ({ finish_reason: null, index: 0, delta: { role: 'assistant', content: null } }),
  part: (content) => ({ finish_reason: null, index: 0, delta: { content } }),
  closing: (finish_reason) => ({ finish_reason, index: 0, delta: {} }),
};

const TEXT: Dialect = {
  object: 'text_completion',
  chunkObject: 'text_completion',
  whole: (text, finish_reason) => ({ text, index: 0, logprobs: null, finish_reason }),
  opening: () => undefined,
  part: (text) => ({ text, index: 0, logprobs: null, finish_reason: null }),
  closing: (finish_reason) => ({ text: '', index: 0, logprobs: null, finish_reason }),
};

/** Answers a conversation. */
export async function answerChat(engine: Engine, exchange: Exchange): Promise<void> {
  const fields = await exchange.readFields();
  await answer(engine, exchange, { fields, prompt: engine.chatTemplate.render(fields), dialect: CHAT });
}

/** Answers a text. */
export async function answerOpenAiCompletion(engine: Engine, exchange: Exchange): Promise<void> {
  const fields = await exchange.readFields();
  await answer(engine, exchange, { fields, prompt: fields.value('prompt'), dialect: TEXT });
}

async function answer(
  engine: Engine,
  exchange: Exchange,
  { fields, prompt, dialect }: { fields: Fields; prompt: unknown; dialect: Dialect },
): Promise<void> {
  const settings = readSettings(fields);
  const tokens = readPrompt(engine, prompt);
  const stream = fields.boolean('stream', false);
  const withUsage = fields.object('stream_options')?.include_usage === true;
  const head = {
    created: Math.floor(Date.now() / 1000),
    id: `chatcmpl-${randomBytes(16).toString('hex')}`,
    model: engine.name,
  };
  const chunk = { ...head, object: dialect.chunkObject };
  const pieces = generate(engine, { prompt: tokens, settings, signal: exchange.signal });
  if (stream) exchange.startPings();
  const texts: string[] = [];
  let opened = false;
  for (;;) {
    const { value, done } = await pieces.next();
    const opening = opened ? undefined : dialect.opening();
    opened = true;
    if (stream && opening !== undefined) await exchange.sendEvent({ choices: [opening], ...chunk });
    if (done === true) {
      const reason = value.stopType === 'limit' ? 'length' : 'stop';
      const totals = describeUsage(tokens, value);
      if (!stream) {
        const choices = [dialect.whole(texts.join(''), reason)];
        exchange.sendJson({ choices, ...head, object: dialect.object, ...totals });
        return;
      }
      await exchange.sendEvent({ choices: [dialect.closing(reason)], ...chunk });
      if (withUsage) await exchange.sendEvent({ choices: [], ...chunk, ...totals });
      await exchange.sendEvent('[DONE]');
      exchange.endStream();
      return;
    }
    if (!stream) texts.push(value.content);
    else if (value.content !== '')
      await exchange.sendEvent({ choices: [dialect.part(value.content)], ...chunk });
  }
}

function describeUsage(prompt: readonly TokenId[], { generated, timings }: Ending): Record<string, unknown> {
  return {
    usage: {
      completion_tokens: generated,
      prompt_tokens: prompt.length,
      total_tokens: prompt.length + generated,
      prompt_tokens_details: { cached_tokens: timings.cachedTokens },
    },
    timings: describeTimings(timings, generated),
  };
}
