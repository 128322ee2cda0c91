/** HTTP to one engine, the same for all adapters: pooled connections with the engine's waits and key, and failures in our words. */
import { Pool } from 'undici';
import { deadlineHeaders } from '../../../domain/deadline.js';
import { correlationHeaders } from '../../../telemetry/correlation.js';
import type { EngineAccess } from './engine-adapter.js';
import { readEventData } from './event-data.js';
import { engineFailure, refusal } from './engine-failure.js';

/** An engine on this machine accepts at once or not at all. */
const CONNECT_TIMEOUT_MS = 10_000;
/** llama-server and uvicorn close idle connections after 5 s; leave before they do, or the next request is reset. */
const KEEP_ALIVE_MS = 2_000;

/** When the task that a call is for must have ended; told to the engine as it was told to us (B-DEAD-004). */
export interface TaskDeadline {
  deadlineAtMs?: number | undefined;
}

/** One engine's HTTP. */
export class EngineHttp {
  private readonly pool: Pool;
  private readonly headers: Record<string, string>;

  constructor(url: string, { key, ...waits }: EngineAccess) {
    this.headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    this.pool = new Pool(url, {
      connections: null,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: waits.firstByteMs,
      bodyTimeout: waits.idleMs,
    });
  }

  /** Status of a GET; its body is not read. @throws whatever the connection throws */
  async statusOf(path: string, signal: AbortSignal): Promise<number> {
    const { statusCode, body } = await this.pool.request(this.asUs({ path, method: 'GET', signal }));
    await body.dump();
    return statusCode;
  }

  /** JSON of a GET. @throws DroverError for any status but 200, and for a connection that fails */
  async get<T>(path: string, signal: AbortSignal): Promise<T> {
    return (await (await this.send({ path, method: 'GET', signal })).json()) as T;
  }

  /**
   * JSON of a POST.
   * @throws DroverError for any status but 200, as `refused` has it, for a connection that fails, and for what is no JSON
   */
  async post<T>(
    path: string,
    body: unknown,
    signal: AbortSignal,
    { refused = refusal, deadlineAtMs }: TaskDeadline & { refused?: typeof refusal } = {},
  ): Promise<T> {
    const answer = await this.send(posted(path, body, signal, deadlineAtMs), refused);
    try {
      return (await answer.json()) as T;
    } catch (err) {
      throw engineFailure(err);
    }
  }

  /**
   * The data of the events that a POST is answered with, those of one network chunk together. Leaving the loop leaves the
   * engine.
   * @throws DroverError for any status but 200, and for a stream that breaks
   */
  async *stream(
    path: string,
    body: unknown,
    signal: AbortSignal,
    { deadlineAtMs }: TaskDeadline = {},
  ): AsyncGenerator<string[]> {
    const answer = await this.send(posted(path, body, signal, deadlineAtMs));
    try {
      yield* readEventData(answer);
    } catch (err) {
      throw engineFailure(err);
    } finally {
      answer.on('error', () => undefined).destroy();
    }
  }

  /** Drops the connections. */
  close(): Promise<void> {
    return this.pool.destroy();
  }

  /** Sends once more when a reused connection was reset before the first byte of an answer, and only then. */
  private async send(asked: EngineCall, refused = refusal) {
    const options = this.asUs(asked);
    const answer = await this.pool.request(options).catch((err: unknown) => {
      if (options.signal.aborted || !isReset(err)) throw engineFailure(err);
      return this.pool.request(options).catch((again: unknown) => {
        throw engineFailure(again);
      });
    });
    if (answer.statusCode !== 200) throw refused(answer.statusCode, await answer.body.text());
    return answer.body;
  }

  private asUs(call: EngineCall): EngineCall {
    return { ...call, headers: { ...call.headers, ...correlationHeaders(), ...this.headers } };
  }
}

interface EngineCall {
  path: string;
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

function posted(path: string, body: unknown, signal: AbortSignal, deadlineAtMs: number | undefined) {
  const headers = { 'content-type': 'application/json', ...deadlineHeaders(deadlineAtMs) };
  return { path, method: 'POST', headers, body: JSON.stringify(body), signal } as const;
}

function isReset(err: unknown): boolean {
  const code = (err as { code?: string }).code;
  return code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE';
}
