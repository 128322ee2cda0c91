/** One connection to a stream of events: three limits, three classes of failure (nodes-and-workers 8). */
import { createParser } from 'eventsource-parser';
import { request, type Dispatcher } from 'undici';
import { CliError, type StreamKind } from './cli-error.js';
import { Pulse } from './pulse.js';
import { asError, codeOf, headerOf, reasonOf, type ApiHttp } from './http.js';
import { envelopeIn, errorOfEnvelope } from './refusal.js';
import { isPassingStatus, readRetryAfterMs } from './retry.js';

/** Beyond this a server does not send events. */
const LARGEST_EVENT = 16 * 1_048_576;

/** An event as it came. */
export interface StreamEvent {
  id: string | undefined;
  event: string;
  data: string;
}

/** Which stream, and how long is waited for it. */
export interface StreamAsk {
  kind: StreamKind;
  path: string;
  lastEventId?: string | undefined;
  limits: StreamLimits;
}

/** Milliseconds; undefined: as long as the connection is alive. */
export interface StreamLimits {
  connectMs: number;
  firstEventMs: number | undefined;
  idleMs: number;
  /** True where keep-alive comments are signs of life, too. */
  commentsCount: boolean;
  /** Asked when a limit has passed; true waits as long again. */
  onSilence?: () => Promise<boolean>;
}

/** A stream that failed, and whether it may be opened again. */
export class StreamFailure extends Error {
  override readonly name = 'StreamFailure';

  constructor(
    readonly error: CliError,
    readonly passing: boolean,
    readonly retryAfterMs?: number,
  ) {
    super(error.message, { cause: error });
  }
}

/**
 * Reads one connection to its end. Comments and unknown fields are nothing.
 * @throws StreamFailure with `<kind>_FAILED`, `<kind>_ERROR` or `<kind>_TIMEOUT`; Interrupted
 */
export async function* readEvents(http: ApiHttp, ask: StreamAsk): AsyncGenerator<StreamEvent> {
  const url = `${http.target.url}${ask.path}`;
  const watch = new SilenceWatch(ask, url);
  const pulse = new Pulse(http);
  const signal = AbortSignal.any([watch.signal, pulse.signal, http.stop]);
  try {
    watch.expectWithin(ask.limits.connectMs, false);
    const response = await request(url, {
      dispatcher: http.dispatcher,
      headers: http.headers({
        accept: 'text/event-stream',
        ...(ask.lastEventId === undefined ? {} : { 'last-event-id': ask.lastEventId }),
      }),
      signal,
    });
    await requireStream(response, ask.kind, url);
    watch.expectWithin(ask.limits.firstEventMs ?? ask.limits.idleMs);
    pulse.begin();
    yield* eventsOf(response, ask.limits, watch, pulse);
  } catch (err) {
    http.stop.throwIfAborted();
    if (watch.failure !== undefined) throw watch.failure;
    if (pulse.signal.aborted) throw broken(ask.kind, url, pulse.signal.reason);
    throw err instanceof StreamFailure ? err : broken(ask.kind, url, err);
  } finally {
    watch.end();
    pulse.end();
  }
}

async function* eventsOf(
  { body }: Dispatcher.ResponseData,
  { idleMs, commentsCount }: StreamLimits,
  watch: SilenceWatch,
  pulse: Pulse,
): AsyncGenerator<StreamEvent> {
  let ready: StreamEvent[] = [];
  const parser = createParser({
    maxBufferSize: LARGEST_EVENT,
    onEvent: ({ id, event = 'message', data }) => ready.push({ id, event, data }),
    ...(commentsCount ? { onComment: () => watch.expectWithin(idleMs) } : {}),
  });
  const decoder = new TextDecoder();
  for await (const bytes of body as AsyncIterable<Uint8Array>) {
    pulse.begin();
    parser.feed(decoder.decode(bytes, { stream: true }));
    const events = ready;
    ready = [];
    if (events.length > 0) watch.expectWithin(idleMs);
    yield* events;
  }
}

/** @throws StreamFailure where the answer is no stream of events (B-SSEC-003, B-SSEC-004) */
async function requireStream(
  response: Dispatcher.ResponseData,
  kind: StreamKind,
  url: string,
): Promise<void> {
  const { statusCode: status, headers, body } = response;
  const type = headerOf(headers, 'content-type') ?? 'no content type';
  if (status === 200 && type.startsWith('text/event-stream')) return;
  const text = await body.text();
  const correlationId = headerOf(headers, 'x-correlation-id');
  const envelope = status === 200 ? undefined : envelopeIn(text, correlationId);
  const said = envelope === undefined ? '' : `: ${envelope.message} (${envelope.code})`;
  // There is nothing to be streamed: that is what is wrong, and asking again does not mend it.
  if (envelope?.code === 'NO_WORKERS') throw new StreamFailure(errorOfEnvelope(envelope, status), false);
  const what = status === 200 ? `answered with ${type}` : `was refused with ${status}${said}`;
  const failed = CliError.of(`${kind}_FAILED`, `the stream ${what}`, {
    details: {
      ...{ status, url, expected: '200 text/event-stream', actual: `${status} ${type}` },
      ...(envelope === undefined ? {} : { cause_code: envelope.code, cause: envelope }),
    },
    correlationId: correlationId ?? envelope?.correlation_id,
  });
  const retryAfterMs = readRetryAfterMs(headerOf(headers, 'retry-after'), Date.now());
  throw new StreamFailure(failed, isPassingStatus(status), retryAfterMs);
}

function broken(kind: StreamKind, url: string, err: unknown): StreamFailure {
  const cause = asError(err);
  const details = {
    url,
    cause: reasonOf(cause),
    ...(codeOf(cause) === undefined ? {} : { cause_code: codeOf(cause) }),
  };
  const message = `the stream broke: ${reasonOf(cause)}`;
  return new StreamFailure(CliError.of(`${kind}_ERROR`, message, { details, cause }), true);
}

/** Breaks a connection off that is silent for too long. */
class SilenceWatch {
  failure: StreamFailure | undefined;
  private readonly abort = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly ask: StreamAsk,
    private readonly url: string,
  ) {}

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** From now on something must come within this time. */
  expectWithin(limitMs: number, mayAsk = true): void {
    clearTimeout(this.timer);
    if (this.abort.signal.aborted) return;
    const timer = setTimeout(() => void this.passed(timer, limitMs, mayAsk), limitMs);
    this.timer = timer;
  }

  end(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.abort.abort();
  }

  private async passed(timer: NodeJS.Timeout, limitMs: number, mayAsk: boolean): Promise<void> {
    const goesOn = mayAsk && (await this.ask.limits.onSilence?.().catch(() => false)) === true;
    if (this.timer !== timer) return; // An event came meanwhile, or the stream is over.
    if (goesOn) return this.expectWithin(limitMs);
    const { kind } = this.ask;
    const error = CliError.of(`${kind}_TIMEOUT`, `nothing came from the stream for ${limitMs} ms`, {
      details: { url: this.url, timeout_ms: limitMs },
    });
    this.failure = new StreamFailure(error, false);
    this.abort.abort();
  }
}
