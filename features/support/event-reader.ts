/** A reader of one event stream: keeps every frame and every byte as it came, and waits for frames with a deadline. */
import { Changes, PATIENCE_MS } from '../../testing/changes.js';

/** A frame as it came over the wire. */
export interface SseFrame {
  id: string | undefined;
  event: string;
  data: Record<string, unknown>;
  /** The frame's own text, without the blank line. */
  raw: string;
  /** When it came, milliseconds of the reader's own clock. */
  at: number;
}

/** The `t` and `i` of a token frame. */
export interface Token {
  t: string;
  i: number;
}

/** One open, or ended, event stream. */
export class EventReader {
  readonly frames: SseFrame[] = [];
  /** Comment lines, such as keep-alives. */
  readonly comments: string[] = [];
  /** Body of an answer that is no stream. */
  body = '';
  private readonly changes = new Changes();
  private over = false;
  /** Why reading broke off, unless the scenario left. */
  private broken: Error | undefined;
  private rest = '';

  private constructor(
    readonly url: string,
    readonly status: number,
    readonly headers: Headers,
    private readonly abort: AbortController,
  ) {}

  /** Opens a stream; resolves when the answer's headers are there. */
  static async open(url: string, headers: Record<string, string>): Promise<EventReader> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    const reader = new EventReader(url, response.status, response.headers, abort);
    void reader.read(response);
    return reader;
  }

  get tokens(): Token[] {
    return this.framesOf('token').map(({ data }) => ({ t: String(data['t']), i: Number(data['i']) }));
  }

  /** The text so far. */
  get text(): string {
    return this.tokens.map(({ t }) => t).join('');
  }

  /** True when the connection broke, or what came was not UTF-8. */
  get brokeOff(): boolean {
    return this.broken !== undefined;
  }

  /** True when the server has ended the stream, or the connection broke. */
  get closed(): boolean {
    return this.over;
  }

  /** Id of the newest frame: what a client resumes from. */
  get lastEventId(): string | undefined {
    return this.frames.findLast(({ id }) => id !== undefined)?.id;
  }

  /** The `end` or `error` frame, if it has come. */
  get lastFrame(): SseFrame | undefined {
    return this.frames.find(({ event }) => event === 'end' || event === 'error');
  }

  framesOf(event: string): SseFrame[] {
    return this.frames.filter((frame) => frame.event === event);
  }

  /** Waits for the first frame of a kind. */
  waitForFrame(event: string, withinMs?: number): Promise<SseFrame> {
    return this.until(
      `a frame "${event}"`,
      () => this.frames.find((frame) => frame.event === event),
      withinMs,
    );
  }

  /** Waits for the first frame that is wanted. */
  waitForAny(wanted: (frame: SseFrame) => boolean, withinMs?: number): Promise<SseFrame> {
    return this.until('a frame like that', () => this.frames.find(wanted), withinMs);
  }

  /** Waits until `count` token frames have come. */
  waitForTokens(count: number, withinMs?: number): Promise<Token[]> {
    const enough = () => (this.tokens.length >= count ? this.tokens : undefined);
    return this.until(`${count} tokens`, enough, withinMs);
  }

  /** Waits until the stream is over, and answers with its last frame. */
  async waitForClose(withinMs?: number): Promise<SseFrame | undefined> {
    await this.until('the end of the stream', () => (this.over ? true : undefined), withinMs);
    return this.lastFrame;
  }

  /** Waits for the stream's `end` or `error`, which need not have closed it yet. */
  waitForLastFrame(withinMs?: number): Promise<SseFrame> {
    return this.until('"end" or "error"', () => this.lastFrame, withinMs);
  }

  /** Waits for a comment line. */
  waitForComment(withinMs?: number): Promise<string> {
    return this.until('a comment line', () => this.comments[0], withinMs);
  }

  /** Leaves, as a client whose connection breaks. */
  leave(): void {
    this.abort.abort();
  }

  private until<T>(what: string, probe: () => T | undefined, withinMs = PATIENCE_MS): Promise<T> {
    const orOver = (): T | undefined => {
      const found = probe();
      if (found === undefined && this.over)
        throw new Error(`the stream ended without ${what}; ${this.soFar}`);
      return found;
    };
    return this.changes.until(() => `${what}; ${this.soFar}`, orOver, withinMs);
  }

  private get soFar(): string {
    const seen = this.frames.map(({ event }) => event);
    const last = this.frames.at(-1)?.raw ?? this.body;
    const why = this.broken === undefined ? '' : `; it broke: ${this.broken.message}`;
    return `${this.url} (${this.status}) had ${seen.length} frames, the last: ${last}${why}`;
  }

  private async read(response: Response): Promise<void> {
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    try {
      const decoder = new TextDecoder('utf-8', { fatal: true });
      const body: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
      for await (const chunk of body ?? []) {
        if (this.abort.signal.aborted) break; // It has left, and said what its last frame is.
        const text = decoder.decode(chunk, { stream: true });
        if (isStream) this.take(text);
        else this.body += text;
      }
    } catch (err) {
      if (!this.abort.signal.aborted) this.broken = asError(err); // What came before counts; `soFar` says why no more did.
    } finally {
      this.over = true;
      this.changes.notify();
    }
  }

  private take(text: string): void {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop() ?? '';
    for (const block of blocks) this.takeBlock(block);
    this.changes.notify();
  }

  private takeBlock(raw: string): void {
    const fields = new Map<string, string>();
    for (const line of raw.split('\n')) {
      if (line.startsWith(':')) this.comments.push(line);
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) fields.set(name, value);
    }
    const [event, data] = [fields.get('event'), fields.get('data')];
    if (event === undefined || data === undefined) return;
    const parsed = JSON.parse(data) as Record<string, unknown>;
    this.frames.push({ id: fields.get('id'), event, data: parsed, raw, at: performance.now() });
  }
}

function asError(err: unknown): Error {
  return err instanceof Error ? err : new Error(String(err));
}
