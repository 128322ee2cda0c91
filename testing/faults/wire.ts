/** Plain HTTP as a client of several doors has it: no library that repeats or reconnects, every outcome kept. */
import type { Clock } from './clock.js';
import { EventBlocks } from './event-blocks.js';
import type { PlannedRequest } from './requests.js';
import type { Exchange, Visit } from './story.js';

/** No answer of a living API takes longer: a dead one breaks the connection at once. */
const ANSWER_LIMIT_MS = 60_000;

/** A stream to open. */
export interface StreamWish {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Requests of one key. */
export class Wire {
  constructor(
    private readonly key: string,
    private readonly clock: Clock,
  ) {}

  /** Sends a request and reads the whole answer. Never rejects. */
  async send(door: string, method: string, { path, headers, body }: PlannedRequest): Promise<Exchange> {
    const sentAtMs = this.clock.nowMs;
    const done = (status: number | undefined, text: string, retryAfter: string | null = null): Exchange => {
      const tookMs = this.clock.nowMs - sentAtMs;
      return { door, status, text, retryAfter, sentAtMs, tookMs, answeredAt: Date.now() };
    };
    try {
      const response = await fetch(`${door}${path}`, {
        method,
        headers: this.headers({ 'content-type': 'application/json', ...headers }),
        ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      // An answer whose body was cut off is none.
      return done(response.status, await response.text(), response.headers.get('retry-after'));
    } catch (err) {
      return done(undefined, reasonOf(err));
    }
  }

  /**
   * Reads a stream into `visit` until it ends, breaks, or the client leaves. Never rejects.
   * @param limitMs - a stream that is kept alive and never ends breaks after this
   * @param wantsToLeave - asked after each event
   */
  async read(
    visit: Visit,
    wish: StreamWish,
    limitMs: number,
    wantsToLeave: () => boolean = () => false,
  ): Promise<void> {
    const leaving = new AbortController();
    const late = new Error(`the stream did not end within ${limitMs} ms`);
    // A signal of a timeout that nobody but another signal holds is collected, and never fires.
    const limit = setTimeout(() => leaving.abort(late), limitMs);
    try {
      const response = await this.open(visit, wish, leaving.signal);
      visit.status = response.status;
      if (response.status === 200) {
        visit.end = await this.readEvents(response, visit, wantsToLeave);
      } else {
        visit.end = 'refused';
        visit.why = await response.text();
      }
    } catch (err) {
      visit.end = 'broke';
      visit.why = reasonOf(err);
    } finally {
      clearTimeout(limit);
      leaving.abort();
    }
  }

  private open({ door, after }: Visit, { method, path, headers, body }: StreamWish, signal: AbortSignal) {
    return fetch(`${door}${path}`, {
      method,
      headers: this.headers({
        ...(after === undefined ? {} : { 'last-event-id': after }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    });
  }

  private async readEvents(
    response: Response,
    visit: Visit,
    wantsToLeave: () => boolean,
  ): Promise<'closed' | 'left'> {
    const blocks = new EventBlocks();
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const chunks: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
    for await (const chunk of chunks ?? []) {
      for (const event of blocks.take(decoder.decode(chunk, { stream: true }))) {
        visit.events.push({ ...event, atMs: this.clock.nowMs });
        if (wantsToLeave()) return 'left';
      }
    }
    return 'closed';
  }

  private headers(more: Record<string, string>): Record<string, string> {
    return { 'x-api-key': this.key, ...more };
  }
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  return err.cause instanceof Error ? `${err.message}: ${err.cause.message}` : `${err.name}: ${err.message}`;
}
