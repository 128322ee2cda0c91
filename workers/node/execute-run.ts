/**
 * One run on one replica: prompt ids, the engine's stream, frames. It goes on from what the log holds already, so a run
 * that a dead worker began is continued here (design §4); it knows nothing of slots, which are the scheduler's.
 */
import { basename } from 'node:path';
import { formatOf } from '../../activities/engine/adapters/answer-format.js';
import { hasTools } from '../../activities/engine/adapters/chat-route.js';
import type {
  Decoding,
  EngineAdapter,
  EngineEvent,
  IdsAdapter,
  TextAdapter,
} from '../../activities/engine/adapters/engine-adapter.js';
import { DroverError } from '../../contracts/errors.js';
import type { FrameBody } from '../../contracts/events.js';
import { isPrompt, type ChatInput, type RunInput } from '../../contracts/node.js';
import { onTimeProbability, type PastRun } from '../../domain/on-time.js';
import { seedOf } from '../../domain/seed.js';
import type { StopReason } from '../../domain/task.js';
import { checkedIds } from './admit-run.js';
import { AnswerPieces } from './answer-pieces.js';
import { budgetsDuring } from './budgets-during.js';
import { ContinuationError } from './continuation.js';
import { onceThereIsRoom } from './disk-room.js';
import type { LoggedFrame } from './run-log.js';
import type { Run } from './run.js';

/** What a run asks of its surroundings while it executes. */
export interface ExecutionContext {
  adapter: EngineAdapter;
  replicaId: string;
  /** File of the model that the engine has loaded, as far as it is known. */
  model: string | null;
  engine: string;
  now: () => number;
  /** Pause between two `metrics` frames. */
  metricsFrameMs: number;
  /** Waiting tasks of the pool. */
  queueDepth: () => number;
  /** How the last runs of the pool went, oldest first. */
  pastRuns: () => readonly PastRun[];
  /** Whether the session has produced a token on this replica; called once the run's own first token is there. */
  warmUp: () => boolean;
  /** Called once a run, at its first dispatch. */
  onStarted: () => void;
  onFirstToken: (afterMs: number) => void;
  /** The engine has said something. */
  onTokens: () => void;
  /** @throws DroverError once the run may be another node's: nothing is written or shown any more. */
  requireTouch: () => void;
  /** The engine has numbered a token no higher than the one before; told once a call. */
  onDisorder: (index: number, before: number) => void;
  /** The disk is full, and the run waits for room. */
  onNoRoom: (err: unknown) => void;
}

/** A run that came to its own end. */
export interface Completion {
  stopReason: StopReason;
  decodeMs: number;
}

/**
 * How often everything logged so far is made durable while tokens flow: a power cut of the node costs no more. Each sync
 * holds up whoever appends to the same file system, so 32 streams that did it each second made their own tokens late.
 */
export const CHECKPOINT_MS = 5_000;

/** Pieces beyond a task's limit that are no flood: some engines tell the token of their end, or a flushed rest, apart. */
const BEYOND_LIMIT = 8;

/**
 * Runs the task to its end and writes its `end` frame.
 * @throws DroverError as the adapter classifies what went wrong; a reason of `run.abort` as the engine call reports it.
 */
export async function executeRun(run: Run, ctx: ExecutionContext): Promise<Completion> {
  const { signal } = run.abort;
  const { adapter } = ctx;
  refuseToGoOn(run);
  const input = promptOf(run);
  const stream =
    adapter.takes === 'text'
      ? await byText(run, ctx, adapter)
      : hasTools(input)
        ? await byTools(run, ctx, adapter, input)
        : await byIds(run, ctx, adapter);
  const writer = new FrameWriter(run, ctx);
  if (stream === undefined) return await writer.finish(NOTHING_LEFT);
  for await (const events of stream) {
    signal.throwIfAborted();
    const end = await writer.take(events);
    if (end !== undefined) return await writer.finish(end);
  }
  throw new DroverError('WORKER_RESET', 'the engine closed the stream before its end');
}

type EngineEnd = Extract<EngineEvent, { kind: 'end' }>;

/** A run whose tokens were all said when its engine died, or before its node did. */
const NOTHING_LEFT: EngineEnd = {
  ...{ kind: 'end', stopReason: 'MAX_TOKENS', stopSequence: null },
  ...{ tokensIn: 0, tokensOut: 0 },
};

type Stream = AsyncIterable<EngineEvent[]> | undefined;

/** @throws ContinuationError for an answer of which another half would fit nothing that was said */
function refuseToGoOn(run: Run): void {
  if (run.tokenIndex === 0) return;
  if (formatOf(run.offer.request) !== undefined)
    throw new ContinuationError('an answer that is bound to a format cannot be gone on with');
  if (hasTools(promptOf(run))) throw new ContinuationError('an answer with tools cannot be gone on with');
}

async function byIds(run: Run, ctx: ExecutionContext, adapter: IdsAdapter): Promise<Stream> {
  const { signal } = run.abort;
  run.promptIds ??= await checkedIds(run.offer, promptOf(run), adapter, signal);
  signal.throwIfAborted();
  await announce(run, ctx, run.promptIds.length);
  const maxTokens = run.offer.request.max_tokens - run.ids.length;
  if (maxTokens <= 0) return undefined;
  const promptIds = await idsSoFar(run, run.promptIds, adapter);
  return adapter.complete({ ...decodingOf(run, maxTokens), promptIds }, signal);
}

/** The engine reads the calls out of its answer itself, and tells no ids then; what does not fit was refused before. */
async function byTools(
  run: Run,
  ctx: ExecutionContext,
  adapter: IdsAdapter,
  input: ChatInput,
): Promise<Stream> {
  const { signal } = run.abort;
  run.promptIds ??= await checkedIds(run.offer, input, adapter, signal);
  signal.throwIfAborted();
  await announce(run, ctx, 'unknown');
  return adapter.answerWithTools({ ...decodingOf(run, run.offer.request.max_tokens), input }, signal);
}

async function byText(run: Run, ctx: ExecutionContext, adapter: TextAdapter): Promise<Stream> {
  const input = promptOf(run);
  if (run.text !== '' && !adapter.goesOn(input.kind))
    throw new ContinuationError(
      'the engine of the pool does not go on amid an answer to chat turns or token ids',
    );
  await announce(run, ctx, 'unknown');
  const maxTokens = run.offer.request.max_tokens - run.tokensOut;
  if (maxTokens <= 0) return undefined;
  return adapter.complete({ ...decodingOf(run, maxTokens), input, said: run.text }, run.abort.signal);
}

function promptOf({ offer: { input } }: Run): RunInput {
  if (isPrompt(input)) return input;
  throw new TypeError('a completion has a prompt');
}

/** Notes where the run goes on, and shows its `started` frame once. */
export async function announce(run: Run, ctx: ExecutionContext, tokensIn: number | 'unknown'): Promise<void> {
  const isFirst = run.lastFrame === undefined;
  const { replicaId: replica_id, model } = ctx;
  const counted = tokensIn === 'unknown' ? { tokens_in: 0, by_text: true } : { tokens_in: tokensIn };
  await written(run, ctx, () =>
    run.record({ kind: 'dispatched', replica_id, model, ...counted, at_ms: ctx.now() }),
  );
  if (!isFirst) return;
  ctx.onStarted();
  const { offer, admission } = run;
  const data = {
    queue_position: admission.queue_position,
    predicted_start_ms: admission.predicted_start_ms,
    task_id: offer.task_id,
    engine: ctx.engine,
    pool_id: offer.pool_id,
    replica_id: ctx.replicaId,
    model_ref: offer.request.model_ref,
    correlation_id: offer.correlation_id,
    admitted_at_ms: run.admittedAtMs,
  };
  const started = { type: 'started' as const, data, ...(model === null ? {} : { model: basename(model) }) };
  await written(run, ctx, () => run.publish([{ body: started, ids: [] }], ctx.now()));
}

/** A full disk is a pause: nothing is shown that is not in the log. */
export async function written(
  run: Run,
  { onNoRoom, requireTouch }: ExecutionContext,
  write: () => void,
): Promise<void> {
  const inTouch = (): void => {
    requireTouch();
    write();
  };
  await onceThereIsRoom(inTouch, run.abort.signal, onNoRoom);
}

/**
 * The prompt's ids and those of the text so far. An engine may have kept ids to itself, as llama-server does all but the
 * last of a character that several make up: where the logged ones do not spell the text, it is cut anew.
 */
async function idsSoFar(run: Run, promptIds: readonly number[], adapter: IdsAdapter): Promise<number[]> {
  const { text } = run;
  if (text === '') return [...promptIds, ...run.ids];
  const { signal } = run.abort;
  const logged = [...promptIds, ...run.ids];
  if ((await adapter.detokenize(logged, signal)).endsWith(text)) return logged;
  return [...promptIds, ...(await adapter.tokenizeRest(text, signal))];
}

function decodingOf(run: Run, maxTokens: number): Decoding {
  const { temperature, top_p, stop, determinism, sampling, logprobs } = run.offer.request;
  const isGreedy = determinism === 'strict' || (run.isOnDeterministicPool && temperature === undefined);
  return {
    maxTokens,
    // Strict determinism implies greedy sampling (design §4), and so does a deterministic pool where nothing else is asked for (B-DP-194).
    temperature: isGreedy ? 0 : temperature,
    topP: isGreedy ? 1 : top_p,
    seed: seedOf(run.offer.request),
    stop,
    sampling,
    format: formatOf(run.offer.request),
    logprobs,
    deadlineAtMs: run.deadlineAtMs,
  };
}

/** Turns engine events into frames, each batch with one write. */
class FrameWriter {
  private readonly pieces: AnswerPieces;
  private readonly tokensBefore: number;
  private taken = 0;
  /** The engine's own number of its last token. */
  private lastIndex = -Infinity;
  private isOutOfOrder = false;
  /** Tokens up to the first batch of this engine: how long they took says nothing of its pace. */
  private tokensUntimed = 0;
  private firstTokenAtMs: number | null = null;
  private lastMetricsAtMs = 0;
  private lastCheckpointAtMs: number;

  constructor(
    private readonly run: Run,
    private readonly ctx: ExecutionContext,
  ) {
    this.tokensBefore = run.tokensOut;
    this.pieces = new AnswerPieces(run.text.length);
    this.lastCheckpointAtMs = ctx.now();
  }

  /** Publishes a batch; returns the engine's `end` when it was in it. */
  async take(events: readonly EngineEvent[]): Promise<EngineEnd | undefined> {
    const frames: LoggedFrame[] = [];
    const now = this.ctx.now();
    let index = this.run.tokenIndex;
    let end: EngineEnd | undefined;
    for (const event of events) {
      if (event.kind === 'end') end = event;
      else {
        this.countIn(event.ids.length);
        this.checkOrder(event.index);
        const frame = this.pieces.take(event, index);
        if (frame === undefined) continue;
        frames.push(frame);
        index += 1;
      }
    }
    if (frames.length > 0) await this.publish(frames, now);
    return end;
  }

  /** Tokens are shown as they come, under our own numbers: an engine that miscounts has said them all the same. */
  private checkOrder(index: number | undefined): void {
    if (index === undefined) return;
    if (index <= this.lastIndex && !this.isOutOfOrder) {
      this.isOutOfOrder = true;
      this.ctx.onDisorder(index, this.lastIndex);
    }
    this.lastIndex = index;
  }

  /** @throws DroverError INTERNAL for an engine that does not stop where it was told to */
  private countIn(ids: number): void {
    this.taken += Math.max(1, ids);
    if (this.tokensBefore + this.taken <= this.run.offer.request.max_tokens + BEYOND_LIMIT) return;
    throw new DroverError('INTERNAL', 'the engine says more than it was asked for');
  }

  private async publish(frames: LoggedFrame[], now: number): Promise<void> {
    this.ctx.onTokens();
    if (this.firstTokenAtMs === null) {
      this.firstTokenAtMs = now;
      if (this.run.firstTokenAtMs === null) this.ctx.onFirstToken(now - this.run.admittedAtMs);
    }
    await written(this.run, this.ctx, () => this.run.publish(frames, now));
    if (this.tokensUntimed === 0) this.tokensUntimed = this.run.tokensOut;
    if (this.run.metricsDue || now - this.lastMetricsAtMs >= this.ctx.metricsFrameMs) {
      this.run.metricsDue = false;
      this.lastMetricsAtMs = now;
      await written(this.run, this.ctx, () => this.run.publish([{ body: this.metrics(now), ids: [] }], now));
    }
    if (now - this.lastCheckpointAtMs >= CHECKPOINT_MS) {
      this.lastCheckpointAtMs = now;
      // A failed sync shows again at the end, where it is awaited; tokens do not wait for the disk.
      this.run.checkpoint().catch(() => undefined);
    }
  }

  private metrics(now: number): FrameBody {
    const { run, ctx } = this;
    return {
      type: 'metrics',
      data: {
        queue_depth: ctx.queueDepth(),
        on_time_probability: this.forecast(now),
        kv_warmth: ctx.warmUp(),
        tokens_out: run.tokensOut,
        ...budgetsDuring(run, now - (run.firstTokenAtMs ?? now)),
      },
    };
  }

  /** The run's first forecast is the one that is judged by its end: later ones are easy. */
  private forecast(now: number): number {
    const { run, ctx } = this;
    const { max_tokens, expected_tokens } = run.offer.request;
    const probability = onTimeProbability(ctx.pastRuns(), {
      remainingMs: run.deadlineAtMs - now,
      tokensOut: run.tokensOut,
      maxTokens: max_tokens,
      ...(expected_tokens === undefined ? {} : { expectedTokens: expected_tokens }),
      timed: { tokens: run.tokensOut - this.tokensUntimed, ms: now - (this.firstTokenAtMs ?? now) },
    });
    run.forecast ??= probability;
    return probability;
  }

  /**
   * Writes the `end` frame. Ids that never became text count as tokens all the same, and so do those that the engine
   * counted and kept to itself: llama-server names only the last token of a character that several make up.
   */
  async finish({ stopReason, stopSequence, tokensIn, tokensOut }: EngineEnd): Promise<Completion> {
    const { run, ctx } = this;
    const { pendingIds, toolCalls } = this.pieces;
    const now = ctx.now();
    const decodeMs = now - (run.firstTokenAtMs ?? now);
    const end: FrameBody = {
      type: 'end',
      data: {
        tokens_out: this.countOf(tokensOut),
        tokens_in: run.isByText ? tokensIn : (run.tokensIn ?? 0),
        decode_time_ms: decodeMs,
        decode_ms: decodeMs,
        stop_reason: stopReason,
        ...(stopSequence === null ? {} : { stop_sequence_matched: stopSequence }),
        ...(toolCalls === 0 ? {} : { tool_calls: toolCalls }),
      },
    };
    await written(run, ctx, () => run.publish([{ body: end, ids: pendingIds }], now));
    return { stopReason, decodeMs };
  }

  /** Of an engine that takes text what it counted itself is better than the number of its pieces. */
  private countOf(counted: number): number {
    const { run, tokensBefore } = this;
    const { pendingIds } = this.pieces;
    if (run.isByText && counted > 0) return tokensBefore + counted;
    return Math.max(run.tokensOut + pendingIds.length, tokensBefore + counted);
  }
}
