/**
 * One run with inputs on one replica: vectors of texts, or scores of documents, one `token` frame each, in their order. Inputs
 * do not depend on each other, so a run whose engine died goes on with the first that has no frame yet.
 */
import type { EngineAdapter } from '../../activities/engine/adapters/engine-adapter.js';
import { NotOfferedError } from '../../activities/engine/adapters/vectors.js';
import type { FrameBody } from '../../contracts/events.js';
import type { EmbeddingInput, RerankInput } from '../../contracts/node.js';
import { encodeVector } from '../../contracts/vector.js';
import { onTimeProbability } from '../../domain/on-time.js';
import { budgetsDuring } from './budgets-during.js';
import { announce, CHECKPOINT_MS, written, type Completion, type ExecutionContext } from './execute-run.js';
import type { Run } from './run.js';

/**
 * Inputs that an engine is given at once: enough for its own batches, and few enough that a cancel is not late and an engine's
 * death costs little.
 */
const BATCH_INPUTS = 32;
/** Also a bound for what must be computed before the first byte of an answer: some 8,000 tokens, or one longer input. */
const BATCH_CHARACTERS = 32_768;
/** What a token id counts there. */
const CHARACTERS_OF_ID = 4;

/** What a `token` frame says of one input. */
type Answer = { embedding: string } | { relevance_score: number };

/** Answers the inputs from one to another. */
type Answerer = (from: number, to: number) => Promise<{ answers: Answer[]; tokensIn: number }>;

/**
 * Answers every input that has no frame yet, and writes the `end` frame.
 * @throws DroverError as the adapter classifies what went wrong, INVALID_PARAMS where the engine does no such work; a reason
 * of `run.abort` as the engine call reports it
 */
export async function executeInputs(
  run: Run,
  input: EmbeddingInput | RerankInput,
  ctx: ExecutionContext,
): Promise<Completion> {
  const { signal } = run.abort;
  const answer = answererOf(input, run.deadlineAtMs, ctx.adapter, signal);
  await announce(run, ctx, run.tokensIn ?? 0);
  const inputs = input.kind === 'embedding' ? input.inputs : input.documents;
  const writer = new AnswerWriter(run, ctx, inputs.length);
  while (run.tokenIndex < inputs.length) {
    const { answers, tokensIn } = await answer(run.tokenIndex, batchEnd(inputs, run.tokenIndex));
    signal.throwIfAborted();
    await writer.publish(answers, tokensIn);
  }
  return writer.finish();
}

function answererOf(
  input: EmbeddingInput | RerankInput,
  deadlineAtMs: number,
  adapter: EngineAdapter,
  signal: AbortSignal,
): Answerer {
  if (input.kind === 'embedding') {
    const { inputs, dimensions } = input;
    return async (from, to) => {
      const shortened = dimensions === undefined ? {} : { dimensions };
      const batch = { inputs: inputs.slice(from, to), ...shortened, deadlineAtMs };
      const said = await adapter.embed?.(batch, signal);
      if (said === undefined) throw new NotOfferedError(input.kind);
      const answers = said.vectors.map((vector) => ({ embedding: encodeVector(vector) }));
      return { answers, tokensIn: said.tokensIn };
    };
  }
  const { query, documents } = input;
  return async (from, to) => {
    const batch = { query, documents: documents.slice(from, to), deadlineAtMs };
    const said = await adapter.rerank?.(batch, signal);
    if (said === undefined) throw new NotOfferedError(input.kind);
    return { answers: said.scores.map((relevance_score) => ({ relevance_score })), tokensIn: said.tokensIn };
  };
}

function batchEnd(inputs: readonly (string | readonly number[])[], from: number): number {
  let [end, characters] = [from, 0];
  while (end < inputs.length && end - from < BATCH_INPUTS) {
    characters += sizeOf(inputs[end] ?? '');
    if (end > from && characters > BATCH_CHARACTERS) break;
    end += 1;
  }
  return end;
}

function sizeOf(input: string | readonly number[]): number {
  return typeof input === 'string' ? input.length : input.length * CHARACTERS_OF_ID;
}

/** Turns answers into frames, each batch with one write. */
class AnswerWriter {
  private readonly begunAtMs: number;
  private readonly begunAt: number;
  private lastMetricsAtMs = 0;
  private lastCheckpointAtMs: number;

  constructor(
    private readonly run: Run,
    private readonly ctx: ExecutionContext,
    private readonly total: number,
  ) {
    this.begunAtMs = ctx.now();
    this.begunAt = run.tokenIndex;
    this.lastCheckpointAtMs = this.begunAtMs;
  }

  async publish(answers: readonly Answer[], tokensIn: number): Promise<void> {
    const { run, ctx } = this;
    const now = ctx.now();
    ctx.onTokens();
    if (run.firstTokenAtMs === null) ctx.onFirstToken(now - run.admittedAtMs);
    const tokens_in = (run.tokensIn ?? 0) + tokensIn;
    const frames = answers.map((said, index) => ({
      body: { type: 'token' as const, data: { t: '', i: run.tokenIndex + index, ...said, tokens_in } },
      ids: [],
    }));
    await written(run, ctx, () => run.publish(frames, now));
    if (now - this.lastCheckpointAtMs >= CHECKPOINT_MS) {
      this.lastCheckpointAtMs = now;
      run.checkpoint().catch(() => undefined); // A failed sync shows again at the end, where it is awaited.
    }
    if (!run.metricsDue && now - this.lastMetricsAtMs < ctx.metricsFrameMs) return;
    run.metricsDue = false;
    this.lastMetricsAtMs = now;
    await written(run, ctx, () => run.publish([{ body: this.metrics(now), ids: [] }], now));
  }

  private metrics(now: number): FrameBody {
    const { run, ctx, total } = this;
    return {
      type: 'metrics',
      data: {
        queue_depth: ctx.queueDepth(),
        on_time_probability: onTimeProbability([], {
          remainingMs: run.deadlineAtMs - now,
          tokensOut: run.tokenIndex,
          maxTokens: total,
          timed: { tokens: run.tokenIndex - this.begunAt, ms: now - this.begunAtMs },
        }),
        kv_warmth: false, // Nothing is kept that a next input could go on from.
        tokens_out: 0,
        ...budgetsDuring(run, now - (run.startedAtMs ?? now)),
      },
    };
  }

  async finish(): Promise<Completion> {
    const { run, ctx } = this;
    const now = ctx.now();
    const decodeMs = now - (run.startedAtMs ?? now);
    const data = {
      tokens_out: 0,
      tokens_in: run.tokensIn ?? 0,
      decode_time_ms: decodeMs,
      decode_ms: decodeMs,
      stop_reason: 'EOS' as const,
    };
    await written(run, ctx, () => run.publish([{ body: { type: 'end', data }, ids: [] }], now));
    return { stopReason: 'EOS', decodeMs };
  }
}
