/** A server of models with bad manners on demand: it breaks off, stands still, lies, refuses, and remembers what it was asked. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';

/** One request, as it came. */
export interface SeenRequest {
  url: string;
  range: string | undefined;
  ifRange: string | undefined;
  authorization: string | undefined;
}

/** How one request is answered; what is left out is as a good server does it. */
export interface Manners {
  /** Answers this alone. */
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** Breaks the connection after so many bytes of the body. */
  breakAfter?: number;
  /** Says nothing more after so many bytes of the body. */
  stallAfter?: number;
  /** Bytes of the body go out in pieces of 1/20 of the file, with so long between them. */
  pauseMs?: number;
  /** Knows no ranges. */
  noRanges?: boolean;
  /** Leaves `Content-Length` out. */
  noLength?: boolean;
  /** Sends other bytes than the file's, of the same length. */
  garbled?: boolean;
  /** The file's tag; null for none. */
  tag?: string | null;
}

const BREAK_AFTER_MS = 100;

/** A file server of a test's own, on a free port. */
export class ModelServer {
  readonly seen: SeenRequest[] = [];
  private readonly files = new Map<string, Buffer>();
  private manners: (request: SeenRequest, nth: number) => Manners = () => ({});
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  static async start(): Promise<ModelServer> {
    const made = new ModelServer();
    await new Promise<void>((resolve) => made.server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Puts a file at a path. @returns its SHA-256 in hex */
  put(path: string, content: Buffer | string): string {
    const bytes = Buffer.from(content);
    this.files.set(path, bytes);
    return createHash('sha256').update(bytes).digest('hex');
  }

  /** How requests are answered from now on; `nth` counts from 1. */
  behave(manners: (request: SeenRequest, nth: number) => Manners): void {
    this.manners = manners;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '', headers } = request;
    const seen: SeenRequest = {
      url,
      range: headers.range,
      ifRange: headers['if-range'] as string | undefined,
      authorization: headers.authorization,
    };
    this.seen.push(seen);
    const manners = this.manners(seen, this.seen.length);
    const file = this.files.get(url.replace(/\?.*$/, ''));
    if (manners.status !== undefined) {
      response.writeHead(manners.status, manners.headers).end(manners.body ?? '');
      return;
    }
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    await this.send(response, file, seen, manners);
  }

  private async send(
    response: ServerResponse,
    file: Buffer,
    seen: SeenRequest,
    manners: Manners,
  ): Promise<void> {
    const { tag = `"${createHash('sha1').update(file).digest('hex')}"`, headers } = manners;
    const [, start] = /^bytes=(\d+)-$/.exec(seen.range ?? '') ?? [];
    const isSame = seen.ifRange === undefined || seen.ifRange === tag;
    const from = start === undefined || manners.noRanges === true || !isSame ? 0 : Number(start);
    const rest = manners.garbled === true ? Buffer.alloc(file.length - from, '?') : file.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      ...(tag === null ? {} : { etag: tag }),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` } : {}),
      ...(manners.noLength === true ? {} : { 'content-length': String(rest.length) }),
      ...headers,
    });
    response.flushHeaders();
    await this.body(response, rest, manners);
  }

  private async body(response: ServerResponse, rest: Buffer, manners: Manners): Promise<void> {
    const { breakAfter, stallAfter, pauseMs } = manners;
    const stop = breakAfter ?? stallAfter ?? rest.length;
    const size = pauseMs === undefined ? rest.length : Math.ceil(rest.length / 20);
    for (let at = 0; at < Math.min(stop, rest.length); at += size) {
      await new Promise((resolve) => response.write(rest.subarray(at, Math.min(at + size, stop)), resolve));
      if (pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    // What has not been read by then is lost to the reader.
    if (breakAfter !== undefined) setTimeout(() => response.destroy(), BREAK_AFTER_MS);
    else if (stallAfter === undefined) response.end();
  }
}
