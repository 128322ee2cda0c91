/**
 * `POST /v1/inference`: a prompt in, tokens out as typed events. A worker has no queue: whoever finds all slots taken is told
 * so, and comes again. Between the look for a slot and taking it nothing waits, so the last one goes to one request only.
 */
import { DEADLINE_HEADER, readDeadline } from './deadline.js';
import { generate, type Ending, type Piece } from './generate.js';
import { InferenceEnded, type Inferences } from './inferences.js';
import { readInference, type InferenceRequest } from './inference-request.js';
import { log } from './events.js';
import { HttpError } from './http-error.js';
import { ClientGone, type Exchange } from './http-exchange.js';
import type { TokenId } from './llama-types.js';
import type { Engine } from './load-engine.js';
import { readPrompt } from './prompt.js';
import type { Slot } from './slots.js';
import { WorkerError } from './worker-error.js';

/** Between two events with figures. */
const METRICS_EVERY_MS = 1_000;

/** One inference with its slot. */
interface Work {
  readonly engine: Engine;
  readonly exchange: Exchange;
  readonly asked: InferenceRequest;
  readonly prompt: TokenId[];
  readonly slot: Slot;
  readonly signal: AbortSignal;
}

/** Answers with a stream of events, or with one object where `stream` is false. */
export async function answerInference(
  engine: Engine,
  exchange: Exchange,
  { inferences, mostTokens }: { inferences: Inferences; mostTokens: number },
): Promise<void> {
  const asked = readInference(await exchange.readText(), mostTokens);
  const deadlineMs = readDeadline(exchange.request.headers[DEADLINE_HEADER], Date.now());
  const prompt = readTokens(engine, asked.prompt);
  const deadline = new Date(deadlineMs).toISOString();
  if (deadlineMs <= Date.now()) throw tooLate(deadline);
  await inferences.run(asked.jobId, deadlineMs, async (ended) => {
    const slot = takeSlot(engine, prompt);
    const signal = AbortSignal.any([ended, exchange.signal]);
    try {
      const work = { engine, exchange, asked, prompt, slot, signal };
      await (asked.stream ? streamAnswer(work) : sendAnswer(work));
    } catch (error) {
      logEnd(asked, error);
      if (!asked.stream) throw refusalOf(error, deadline);
      if (error instanceof ClientGone) throw error;
      await exchange.sendNamed('error', streamError(error));
      exchange.endStream();
    }
  });
}

/** @throws WorkerError ALL_SLOTS_BUSY */
function takeSlot({ pool }: Engine, prompt: readonly TokenId[]): Slot {
  const slot = pool.take(prompt);
  if (slot !== undefined) return slot;
  const facts = { slots_total: pool.slots.length, slots_busy: pool.busy };
  throw new WorkerError('ALL_SLOTS_BUSY', 'every slot of this worker is taken; try again in a second', facts);
}

async function streamAnswer(work: Work): Promise<void> {
  const { engine, exchange, asked, prompt } = work;
  exchange.startPings();
  const pieces = begin(work);
  try {
    const startedAt = Date.now();
    const started = {
      job_id: asked.jobId,
      model: engine.name,
      started_at: new Date(startedAt).toISOString(),
    };
    await exchange.sendNamed('started', started);
    await exchange.sendNamed('narration', { human: `computing a prompt of ${prompt.length} tokens` });
    const figures = new Figures(engine, startedAt);
    let index = 0;
    for (;;) {
      const { value, done } = await pieces.next();
      if (done === true) {
        await exchange.sendNamed('metrics', figures.now(value.generated));
        await exchange.sendNamed('end', endOf(value));
        exchange.endStream();
        return;
      }
      if (value.content !== '') await exchange.sendNamed('token', { t: value.content, i: index++ });
      if (figures.areDue()) await exchange.sendNamed('metrics', figures.now(value.generated));
    }
  } finally {
    await pieces.return(undefined as never);
  }
}

async function sendAnswer(work: Work): Promise<void> {
  const { engine, exchange, asked } = work;
  const pieces = begin(work);
  const texts: string[] = [];
  for (;;) {
    const { value, done } = await pieces.next();
    if (done !== true) {
      texts.push(value.content);
      continue;
    }
    exchange.sendJson({ job_id: asked.jobId, model: engine.name, text: texts.join(''), ...endOf(value) });
    return;
  }
}

function begin({ engine, asked, prompt, slot, signal }: Work): AsyncGenerator<Piece, Ending, void> {
  return generate(engine, { prompt, settings: asked.settings, signal, slot });
}

/** The figures that a reader gets from time to time. */
class Figures {
  #toldAtMs: number;

  constructor(
    private readonly engine: Engine,
    private readonly startedAtMs: number,
  ) {
    this.#toldAtMs = startedAtMs;
  }

  areDue(): boolean {
    return Date.now() - this.#toldAtMs >= METRICS_EVERY_MS;
  }

  now(tokens: number): Record<string, number> {
    this.#toldAtMs = Date.now();
    const seconds = Math.max(1, this.#toldAtMs - this.startedAtMs) / 1000;
    return { tokens_per_sec: Math.round((tokens / seconds) * 100) / 100, vram_bytes: this.engine.vramBytes };
  }
}

const STOP_REASONS = { eos: 'EOS', limit: 'MAX_TOKENS', word: 'STOP_SEQUENCE' } as const;

function endOf({ generated, timings, stopType }: Ending): Record<string, unknown> {
  return {
    tokens_out: generated,
    decode_time_ms: Math.round(timings.predictedMs),
    stop_reason: STOP_REASONS[stopType],
  };
}

function readTokens(engine: Engine, prompt: string): TokenId[] {
  try {
    return readPrompt(engine, prompt);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    const constraint = `a text of fewer than ${engine.slotContextSize} tokens`;
    const message = `prompt must be ${constraint}`;
    throw new WorkerError('INVALID_REQUEST', message, { errors: [{ field: 'prompt', constraint, message }] });
  }
}

function tooLate(deadline: string): WorkerError {
  return new WorkerError('REQUEST_TIMEOUT', 'the deadline of the request has passed', { deadline });
}

/** What a client is told whose answer has not begun. */
function refusalOf(error: unknown, deadline: string): unknown {
  if (!(error instanceof InferenceEnded)) return error;
  return error.why === 'TIMEOUT'
    ? tooLate(deadline)
    : new WorkerError('JOB_CONFLICT', 'the job was cancelled');
}

/** What a stream ends with; what went wrong inside stands in the log alone. */
function streamError(error: unknown): { code: string; message: string } {
  if (error instanceof InferenceEnded) {
    const message = error.why === 'TIMEOUT' ? 'the deadline has passed' : 'the job was cancelled';
    return { code: error.why, message };
  }
  const isOutOfMemory = error instanceof Error && /out of memory|failed to allocate/i.test(error.message);
  if (isOutOfMemory) return { code: 'VRAM_OOM', message: 'the memory of the device is exhausted' };
  const message = error instanceof HttpError ? error.message : 'the engine failed; its log says why';
  return { code: 'INFERENCE_FAILED', message };
}

/** The id is the client's: quoted, it stays on its line. */
function logEnd({ jobId }: InferenceRequest, error: unknown): void {
  const why =
    error instanceof ClientGone
      ? 'its client has left'
      : error instanceof Error
        ? error.message
        : String(error);
  log(`inference ${JSON.stringify(jobId)} ended early: ${why}`);
}
