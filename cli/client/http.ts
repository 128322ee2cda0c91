/** Quick calls to the API: a limit for all attempts together, repeated where that is harmless, behind a circuit. */
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request, type Dispatcher } from 'undici';
import { Circuits } from './circuit.js';
import { CliError } from './cli-error.js';
import type { Limits } from './limits.js';
import { errorOfAnswer } from './refusal.js';
import { jsonErrorPosition } from '../../domain/json.js';
import { RETRY_PROFILES } from '../../domain/retry-profiles.js';
import { busyDelayMs, isBusy, isPassingStatus, readRetryAfterMs, retryDelayMs } from './retry.js';

/** Whom we speak to. */
export interface Target {
  /** Base URL, without a slash at its end. */
  url: string;
  key: string | undefined;
}

/** A call. */
export interface Call {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** True where the call may be repeated though it is a POST: its body or header has a key of its own (B-HTTP-007). */
  repeatable?: boolean;
  /** Told before it is asked again of those who are busy, and when. */
  onBusy?: (message: string, delayMs: number) => void;
  /** False where the API itself has tried as often as makes sense. */
  again?: boolean;
  /** Default: the limit of quick calls. */
  limitMs?: number;
  /** True where a success is known by its headers; the body is left. */
  headersOnly?: boolean;
}

/** An answer that is a success. */
export interface HttpAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Undefined where the body is empty. */
  json: unknown;
}

/** What went wrong in an attempt, and what the server said about coming again. */
interface Failure {
  error: CliError;
  /** True where another attempt may do better. */
  passing: boolean;
  /** True where the server is: one that refuses us in good order is well. */
  ill: boolean;
  retryAfterMs?: number | undefined;
}

type Outcome = { answer: HttpAnswer } | Failure;

/** What the client needs of its surroundings. */
export interface HttpDeps {
  random: () => number;
  now: () => number;
  /** Waits; tests need not. */
  pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What the clients of a process share. */
interface Shared {
  dispatcher: Dispatcher;
  circuits: Circuits;
}

/** Client of one target. */
export class ApiHttp {
  constructor(
    readonly target: Target,
    readonly limits: Limits,
    /** Aborted when what is done here shall end. */
    readonly stop: AbortSignal,
    private readonly deps: HttpDeps = { random: Math.random, now: Date.now },
    private readonly shared: Shared = { dispatcher: connections(limits), circuits: new Circuits(deps.now) },
  ) {}

  /** The same client for something that ends at another signal. */
  until(stop: AbortSignal): ApiHttp {
    return new ApiHttp(this.target, this.limits, stop, this.deps, this.shared);
  }

  /** Connections to the target. */
  get dispatcher(): Dispatcher {
    return this.shared.dispatcher;
  }

  /** The JSON of an answer. @throws CliError */
  async json(call: Call): Promise<unknown> {
    return (await this.send(call)).json;
  }

  /** Sends a call until it is answered with a success. @throws CliError; Interrupted */
  async send(call: Call): Promise<HttpAnswer> {
    const { url } = this.target;
    const { circuits } = this.shared;
    if (!circuits.begin(url)) throw circuitOpen(url, circuits.waitMs(url));
    let well = false;
    try {
      const outcome = await this.untilAnswered(call);
      well = 'answer' in outcome || !outcome.ill;
      if ('answer' in outcome) return outcome.answer;
      throw outcome.error;
    } finally {
      if (!well && this.stop.aborted) circuits.forget(url);
      else circuits.end(url, well);
    }
  }

  /** All attempts of a call. */
  private async untilAnswered(call: Call): Promise<Outcome> {
    const limitMs = call.limitMs ?? this.limits.quickMs;
    let giveUpAt = this.deps.now() + limitMs;
    const repeatable = call.again !== false && (call.repeatable === true || call.method !== 'POST');
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.exchange(call, Math.max(1, giveUpAt - this.deps.now()), limitMs);
      if ('answer' in outcome || !outcome.passing || !repeatable) return outcome;
      const known = {
        ...{ attempt, retryAfterMs: outcome.retryAfterMs },
        remainingMs: giveUpAt - this.deps.now(),
      };
      const { code, message } = outcome.error;
      const delayMs = isBusy(code)
        ? busyDelayMs(known)
        : retryDelayMs(RETRY_PROFILES.cli, known, this.deps.random());
      if (delayMs === undefined) return outcome;
      if (isBusy(code)) {
        call.onBusy?.(message, delayMs);
        giveUpAt += delayMs; // A server that refuses in good order is not silent.
      }
      await this.wait(delayMs);
    }
  }

  /** Waits, unless the command shall end. */
  async wait(delayMs: number): Promise<void> {
    const { pause = pauseFor } = this.deps;
    await pause(delayMs, this.stop).catch((err: unknown) => {
      this.stop.throwIfAborted();
      throw err;
    });
  }

  /** A number from 0 to 1. */
  chance(): number {
    return this.deps.random();
  }

  /** Headers that every request has. */
  headers(more: Record<string, string> = {}): Record<string, string> {
    const { key } = this.target;
    return { accept: 'application/json', ...(key === undefined ? {} : { 'x-api-key': key }), ...more };
  }

  private async exchange(call: Call, remainingMs: number, limitMs: number): Promise<Outcome> {
    const { method = 'GET', path } = call;
    const url = `${this.target.url}${path}`;
    const late = AbortSignal.timeout(remainingMs);
    const signal = AbortSignal.any([late, this.stop]);
    const failedTransport = { passing: true, ill: true };
    const timedOut = (what = 'answer', timeout_ms = limitMs) => ({
      ...failedTransport,
      error: CliError.of('HTTP_TIMEOUT', `no ${what} within ${timeout_ms} ms`, {
        details: { url, timeout_ms },
      }),
    });
    const response = await request(url, { ...this.options(call, method), signal }).catch(asError);
    this.stop.throwIfAborted();
    if (response instanceof Error) {
      if (late.aborted) return timedOut();
      if (codeOf(response) === 'UND_ERR_CONNECT_TIMEOUT') return timedOut('connection', this.limits.reachMs);
      return { ...failedTransport, error: connectionFailed(this.target.url, url, response) };
    }
    const isSuccess = response.statusCode >= 200 && response.statusCode <= 299;
    if (call.headersOnly === true && isSuccess) return { answer: leave(response) };
    const text = await response.body.text().catch(asError);
    this.stop.throwIfAborted();
    if (text instanceof Error) {
      if (late.aborted) return timedOut();
      const details = { url, cause: reasonOf(text) };
      return {
        ...failedTransport,
        error: CliError.of('HTTP_READ_ERROR', 'the answer broke off', { details }),
      };
    }
    return this.judge({ method, url, text, response });
  }

  private options(call: Call, method: string) {
    const { body } = call;
    const headers = this.headers({
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...call.headers,
    });
    return {
      ...{ method, headers, dispatcher: this.dispatcher },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
  }

  private judge(exchange: {
    method: string;
    url: string;
    text: string;
    response: Dispatcher.ResponseData;
  }): Outcome {
    const { method, url, text, response } = exchange;
    const { statusCode: status, headers } = response;
    const correlationId = headerOf(headers, 'x-correlation-id');
    if (status < 200 || status > 299) {
      const retryAfterMs = readRetryAfterMs(headerOf(headers, 'retry-after'), this.deps.now());
      const error = errorOfAnswer({ method, url, status, text, correlationId });
      const ill = status >= 500 && retryAfterMs === undefined;
      return { error, passing: isPassingStatus(status), ill, retryAfterMs };
    }
    try {
      return { answer: { status, headers, json: text === '' ? undefined : JSON.parse(text) } };
    } catch (err) {
      const details = {
        url,
        expected: 'JSON',
        actual: headerOf(headers, 'content-type') ?? 'no content type',
        position: jsonErrorPosition(text),
      };
      const message = `the answer is not JSON: ${reasonOf(err)}`;
      return {
        passing: false,
        ill: false,
        error: CliError.of('JSON_PARSE_ERROR', message, { details, correlationId }),
      };
    }
  }
}

function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal });
}

/** No limits of their own: ours are told apart by what is waited for. */
function connections({ reachMs }: Limits): Dispatcher {
  return new Agent({ connect: { timeout: reachMs }, headersTimeout: 0, bodyTimeout: 0 });
}

function leave({ statusCode: status, headers, body }: Dispatcher.ResponseData): HttpAnswer {
  body.on('error', () => undefined).destroy(); // Its breaking off is what was wanted.
  return { status, headers, json: undefined };
}

function circuitOpen(url: string, waitMs: number): CliError {
  return CliError.of('CIRCUIT_BREAKER_OPEN', `${url} has failed again and again, and is left alone`, {
    details: { url, retry_after_ms: waitMs },
  });
}

function connectionFailed(base: string, url: string, cause: Error): CliError {
  const details = { url, cause: reasonOf(cause) };
  return CliError.of('HTTP_CONNECTION_FAILED', `cannot reach ${base}: ${reasonOf(cause)}`, {
    details,
    cause,
  });
}

/** A header's value; the first where there are several. */
export function headerOf(headers: HttpAnswer['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Why a connection failed, in a few words; an error of several attempts is named by its first. */
export function reasonOf(err: unknown): string {
  if (err instanceof AggregateError && err.errors.length > 0) return reasonOf(err.errors[0]);
  if (!(err instanceof Error)) return String(err);
  return err.message === '' ? (codeOf(err) ?? err.name) : err.message;
}

/** The system's or undici's code of an error. */
export function codeOf(err: unknown): string | undefined {
  return err instanceof Error && 'code' in err && typeof err.code === 'string' ? err.code : undefined;
}

/** What was thrown, as an error. */
export function asError(err: unknown): Error {
  return err instanceof Error ? err : new Error(String(err));
}
