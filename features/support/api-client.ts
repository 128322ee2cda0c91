/** HTTP as a client of Drover speaks it: plain fetch, nothing hidden, every answer kept as it came. */
import { EventReader } from './event-reader.js';

/** An answer, read to its end. */
export interface Answer {
  /** What was asked, for error messages. */
  asked: string;
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; undefined where it is none. */
  json: unknown;
  /** When it was there, milliseconds of the same clock as a frame's. */
  at: number;
  /** The same on the wall clock. */
  cameAt: number;
  /** From the request to the whole answer. */
  tookMs: number;
}

/** A request. */
export interface Ask {
  /** Sent as JSON, or as it is when it is text or bytes. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Another key than the stack's own; null sends none. */
  key?: string | null;
}

/** How a stream is opened. */
export interface OpenStream {
  /** Sent as `Last-Event-ID`. */
  lastEventId?: string;
  /** Sent as `?from=`. */
  from?: number;
  verbose?: boolean;
  headers?: Record<string, string>;
}

/** No answer of the API takes longer, but a preload. */
const ANSWER_LIMIT_MS = 90_000;

/** Client of one API process. */
export class ApiClient {
  constructor(
    readonly url: string,
    private readonly key: string,
  ) {}

  /** Sends a request and reads the whole answer, whatever its status. */
  async request(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const askedAt = performance.now();
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: this.headers(ask),
      ...bodyOf(ask.body),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const text = await response.text();
    const { status, headers } = response;
    const at = performance.now();
    const timing = { at, cameAt: Date.now(), tookMs: at - askedAt };
    return { asked: `${method} ${path}`, status, headers, text, json: parseJson(text), ...timing };
  }

  /** Opens the event stream of a task. */
  openEvents(taskId: string, { lastEventId, from, verbose, headers }: OpenStream = {}): Promise<EventReader> {
    const query = new URLSearchParams();
    if (from !== undefined) query.set('from', String(from));
    if (verbose === true) query.set('verbose', 'true');
    const search = query.size === 0 ? '' : `?${query.toString()}`;
    return this.openStream(`/v2/tasks/${encodeURIComponent(taskId)}/events${search}`, lastEventId, headers);
  }

  /** Opens the event stream of a pool. */
  openPoolEvents(poolId: string, lastEventId?: string): Promise<EventReader> {
    return this.openStream(`/v2/pools/${poolId}/events`, lastEventId);
  }

  private openStream(path: string, lastEventId?: string, headers: Record<string, string> = {}) {
    const resume: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    return EventReader.open(`${this.url}${path}`, this.headers({ headers: { ...resume, ...headers } }));
  }

  private headers({ body, headers, key = this.key }: Ask): Record<string, string> {
    return {
      ...(key === null ? {} : { 'x-api-key': key }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
  }
}

function bodyOf(body: unknown): { body?: string } {
  if (body === undefined) return {};
  return { body: typeof body === 'string' ? body : JSON.stringify(body) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Not JSON; the scenario says whether it should be.
  }
}
