/**
 * One generation, from a prompt to the reason why it ended.
 *
 *   wait for a slot -> reuse what it remembers -> compute the prompt in chunks -> token by token
 *
 * Whatever happens (a client leaves, an error, the end), the slot is given back exactly once, in `finally`.
 */
import { performance } from 'node:perf_hooks';
import { GenerationClock, type Timings } from './generation-clock.js';
import { describeSettings, type GenerationSettings } from './generation-request.js';
import { invalid } from './http-error.js';
import type { EvaluateOptions, TokenId } from './llama-types.js';
import type { Engine } from './load-engine.js';
import { unfinishedEnd } from './prompt.js';
import { type ReleasedText, TextRelease } from './released-text.js';
import { createGrammarState, isOwnEnd, samplingOptions, stopWords } from './sampling.js';
import { commonLength, type Slot } from './slots.js';

/** Why a generation ended: the model's own end, the limit or a full context, or a stop word. */
export type StopType = 'eos' | 'limit' | 'word';

/** A piece of text with its tokens, as soon as it may be sent. */
export interface Piece extends ReleasedText {
  /** Tokens generated so far. */
  readonly generated: number;
}

/** How a generation ended. */
export interface Ending {
  readonly stopType: StopType;
  readonly stoppingWord: string;
  /** Tokens generated, the one that means the end included. */
  readonly generated: number;
  /** The context was full before the limit was reached. */
  readonly truncated: boolean;
  readonly slotId: number;
  readonly timings: Timings;
}

let lastTaskId = 0;

/** A number for one piece of work, as `/slots` shows it. */
export function nextTaskId(): number {
  return lastTaskId++;
}

/**
 * Generates.
 *
 * @param prompt token ids, at least one
 * @param slot one that the caller has taken; it is given back here. Default: the first that is free
 * @param signal ends the generation and frees the slot, within the computation of one token or chunk
 * @yields text as soon as it may be sent; the last piece may be empty of text
 * @returns why it ended
 * @throws the signal's reason when it was aborted
 */
export async function* generate(
  engine: Engine,
  {
    prompt,
    settings,
    signal,
    slot: taken,
  }: { prompt: TokenId[]; settings: GenerationSettings; signal: AbortSignal; slot?: Slot },
): AsyncGenerator<Piece, Ending, void> {
  if (settings.slotId !== undefined && settings.slotId >= engine.pool.slots.length) {
    throw invalid(`There is no slot ${settings.slotId}`);
  }
  const grammarState = await createGrammarState(engine, settings.constraint);
  const slot = taken ?? (await engine.pool.acquire(prompt, settings.slotId, signal));
  const clock = new GenerationClock(prompt.length);
  const history = [...prompt];
  const work = {
    taskId: nextTaskId(),
    promptTokens: prompt.length,
    settings: describeSettings(settings),
    maxTokens: settings.maxTokens,
    generated: 0,
  };
  slot.work = work;
  try {
    clock.cachedTokens = await adaptMemory(engine, slot, prompt, settings.cachePrompt);
    const rest = await computePrompt(engine, slot, prompt.slice(clock.cachedTokens), signal);
    const limit = Math.min(settings.maxTokens ?? Infinity, slot.contextSize - prompt.length);
    if (limit === 0) await slot.sequence.evaluateWithoutGeneratingNewTokens(rest);
    const options = samplingOptions(settings, history, grammarState);
    const tokens = sampleTokens(engine, slot, { rest, options, signal });
    const ending = yield* releasePieces(engine, tokens, {
      limit,
      release: new TextRelease(stopWords(settings), unfinishedEnd(engine.pieces, prompt)),
      isOwnEnd: (word) => isOwnEnd(settings, word),
      onToken: (token) => {
        history.push(token);
        work.generated = clock.tick();
      },
    });
    const truncated = ending.stopType === 'limit' && limit !== settings.maxTokens;
    return { ...ending, truncated, slotId: slot.id, generated: work.generated, timings: clock.timings() };
  } finally {
    const { cachedTokens, promptTokens, promptMs, predictedMs } = clock.timings();
    engine.metrics.note({
      cachedTokens,
      promptTokens,
      promptMs,
      predictedMs,
      predictedTokens: work.generated,
    });
    engine.pool.release(slot);
  }
}

/** Keeps the part of the slot's memory that the prompt begins with; the last token is always computed anew. */
async function adaptMemory(engine: Engine, slot: Slot, prompt: TokenId[], reuse: boolean): Promise<number> {
  const { sequence } = slot;
  const kept = reuse ? prompt.slice(0, Math.min(commonLength(slot, prompt), prompt.length - 1)) : [];
  if (sequence.nextTokenIndex > kept.length) {
    await engine.gate.closedDuring(() => sequence.adaptStateToTokens(kept, false));
  }
  return Math.min(kept.length, sequence.nextTokenIndex);
}

/** Computes all chunks of the prompt but the last, which is returned: the first token is sampled from it. */
async function computePrompt(
  { gate, pace }: Engine,
  { sequence }: Slot,
  tokens: TokenId[],
  signal: AbortSignal,
): Promise<TokenId[]> {
  let rest = tokens;
  while (rest.length > pace.chunk) {
    await gate.pass();
    signal.throwIfAborted();
    const chunk = rest.slice(0, pace.chunk);
    const startedAt = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(chunk);
    pace.note(chunk.length, performance.now() - startedAt);
    rest = rest.slice(chunk.length);
  }
  signal.throwIfAborted();
  return rest;
}

/** Tokens as they are sampled; never ends by itself. */
async function* sampleTokens(
  { gate, pool, metrics }: Engine,
  { sequence }: Slot,
  { rest, options, signal }: { rest: TokenId[]; options: EvaluateOptions; signal: AbortSignal },
): AsyncGenerator<TokenId, void, void> {
  const tokens = sequence.evaluate(rest, options);
  try {
    for (;;) {
      await gate.pass();
      signal.throwIfAborted();
      const { value, done } = await tokens.next();
      if (done === true) return;
      signal.throwIfAborted();
      metrics.noteDecode(pool.busy);
      yield value;
    }
  } finally {
    await tokens.return();
  }
}

async function* releasePieces(
  { model, pieces }: Engine,
  tokens: AsyncIterable<TokenId>,
  {
    limit,
    release,
    isOwnEnd,
    onToken,
  }: {
    limit: number;
    release: TextRelease;
    isOwnEnd: (stoppingWord: string) => boolean;
    onToken: (token: TokenId) => void;
  },
): AsyncGenerator<Piece, Pick<Ending, 'stopType' | 'stoppingWord'>, void> {
  let generated = 0;
  if (limit === 0) return { stopType: 'limit', stoppingWord: '' };
  for await (const token of tokens) {
    generated++;
    onToken(token);
    if (model.isEogToken(token)) {
      const held = release.finish(true);
      yield { content: held.content, tokens: [...held.tokens, token], generated };
      return { stopType: 'eos', stoppingWord: '' };
    }
    const { content, tokens: ids, stoppingWord } = release.push(token, pieces.bytesOf(token));
    if (stoppingWord !== undefined) {
      yield { content, tokens: ids, generated };
      return isOwnEnd(stoppingWord)
        ? { stopType: 'eos', stoppingWord: '' }
        : { stopType: 'word', stoppingWord };
    }
    const last = generated >= limit ? release.finish(false) : { content: '', tokens: [] };
    if (ids.length + last.tokens.length > 0) {
      yield { content: content + last.content, tokens: [...ids, ...last.tokens], generated };
    }
    if (generated >= limit) return { stopType: 'limit', stoppingWord: '' };
  }
  throw new Error('the model stopped without an end token');
}
