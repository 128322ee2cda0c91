/** `POST /completion`: llama-server's own route, with token ids in and out. */
import { describeSettings, readSettings, type GenerationSettings } from './generation-request.js';
import { generate, type Ending } from './generate.js';
import type { Timings } from './generation-clock.js';
import type { Exchange } from './http-exchange.js';
import type { TokenId } from './llama-types.js';
import type { Engine } from './load-engine.js';
import { readPrompt } from './prompt.js';

/** Answers with one object, or with a stream of chunks whose last has `stop: true`. */
export async function answerCompletion(engine: Engine, exchange: Exchange): Promise<void> {
  const fields = await exchange.readFields();
  const settings = readSettings(fields);
  const prompt = readPrompt(engine, fields.value('prompt'));
  const stream = fields.boolean('stream', false);
  const returnTokens = fields.boolean('return_tokens', false);
  const pieces = generate(engine, { prompt, settings, signal: exchange.signal });
  if (stream) exchange.startPings();
  const content: string[] = [];
  const tokens: TokenId[] = [];
  for (;;) {
    const { value, done } = await pieces.next();
    if (done === true) {
      const end = { ...finalChunk(engine, { prompt, settings, ending: value }), stream };
      if (!stream) {
        exchange.sendJson({ ...end, content: content.join(''), tokens: returnTokens ? tokens : [] });
        return;
      }
      await exchange.sendEvent(end);
      exchange.endStream();
      return;
    }
    if (stream) {
      await exchange.sendEvent({
        index: 0,
        content: value.content,
        tokens: value.tokens,
        stop: false,
        id_slot: -1,
        tokens_predicted: value.generated,
        tokens_evaluated: prompt.length,
      });
    } else {
      content.push(value.content);
      tokens.push(...value.tokens);
    }
  }
}

function finalChunk(
  engine: Engine,
  { prompt, settings, ending }: { prompt: readonly TokenId[]; settings: GenerationSettings; ending: Ending },
): Record<string, unknown> {
  return {
    index: 0,
    content: '',
    tokens: [],
    id_slot: ending.slotId,
    stop: true,
    model: engine.name,
    tokens_predicted: ending.generated,
    tokens_evaluated: prompt.length,
    generation_settings: describeSettings(settings),
    truncated: ending.truncated,
    stop_type: ending.stopType,
    stopping_word: ending.stoppingWord,
    tokens_cached: prompt.length + ending.generated - 1,
    timings: describeTimings(ending.timings, ending.generated),
  };
}

/** Timings under llama-server's names. */
export function describeTimings(
  { cachedTokens, promptTokens, promptMs, predictedMs }: Timings,
  generated: number,
): Record<string, number> {
  const perSecond = (tokens: number, ms: number): number => (ms === 0 ? 0 : round((tokens / ms) * 1000));
  const perToken = (tokens: number, ms: number): number => (tokens === 0 ? 0 : round(ms / tokens));
  return {
    cache_n: cachedTokens,
    prompt_n: promptTokens,
    prompt_ms: round(promptMs),
    prompt_per_token_ms: perToken(promptTokens, promptMs),
    prompt_per_second: perSecond(promptTokens, promptMs),
    predicted_n: generated,
    predicted_ms: round(predictedMs),
    predicted_per_token_ms: perToken(generated, predictedMs),
    predicted_per_second: perSecond(generated, predictedMs),
  };
}

/** Microseconds are as fine as the clock is honest. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
