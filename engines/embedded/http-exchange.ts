/** One request and its answer: reading the body, sending JSON or a stream, and noticing that the client has left. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError, invalid } from './http-error.js';
import { Fields, isObject } from './request-fields.js';
import { WorkerError } from './worker-error.js';

/** A conversation of any length in token ids fits; a mistake or an attack does not. */
const MOST_BODY_BYTES = 16 * 1024 * 1024;
/** As llama-server: clients and proxies give up on a silent connection after a minute or more. */
const PING_MS = 30_000;

/** Thrown into a generation whose client has left; nobody is there to be answered. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** A request being answered. */
export class Exchange {
  readonly #controller = new AbortController();
  #pings: NodeJS.Timeout | undefined;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly url: URL,
  ) {
    response.on('close', () => {
      clearInterval(this.#pings);
      if (!response.writableFinished) this.#controller.abort(new ClientGone());
    });
    response.on('error', () => undefined); // a reset while writing; 'close' follows
  }

  /** Aborted when the client leaves or the engine stops. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the work on this request. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** Reads the body as it is. */
  async readText(): Promise<string> {
    return (await this.#readBody()).toString('utf8');
  }

  /** Reads the JSON body; an object, or 400. */
  async readFields(): Promise<Fields> {
    const text = await this.readText();
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch (error) {
      throw invalid(`The body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (!isObject(body)) throw invalid('The body must be a JSON object');
    return new Fields(body);
  }

  /** Answers with JSON. */
  sendJson(body: unknown, status = 200): void {
    this.#sendBody(status, 'application/json; charset=utf-8', JSON.stringify(body));
  }

  /** Answers with text. */
  sendText(type: string, text: string): void {
    this.#sendBody(200, type, text);
  }

  /** Keeps a stream's connection alive while there is nothing to say. */
  startPings(): void {
    this.#pings = setInterval(() => void this.#write(':\n\n'), PING_MS);
  }

  /**
   * Sends an event of a stream; the first one sends the headers. Resolves when the client can take more.
   *
   * @throws the signal's reason when the client has left
   */
  async sendEvent(data: unknown): Promise<void> {
    await this.#write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  }

  /** The same under a name. */
  async sendNamed(event: string, data: unknown): Promise<void> {
    await this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Answers that it is done. */
  sendNothing(): void {
    this.response.writeHead(204).end();
  }

  /** Ends a stream. */
  endStream(): void {
    clearInterval(this.#pings);
    this.response.end();
  }

  /** Answers with an error, in a stream as its last event. */
  fail(error: HttpError | WorkerError): void {
    if (!this.response.headersSent) {
      // What is left of a refused body is not worth reading.
      if (!this.request.complete) this.response.setHeader('connection', 'close');
      this.sendJson(this.#bodyOf(error), error.status);
      return;
    }
    this.response.write(`data: ${JSON.stringify(this.#bodyOf(error))}\n\n`);
    this.endStream();
  }

  #bodyOf(error: HttpError | WorkerError): unknown {
    const id = this.request.headers['x-correlation-id'];
    return error instanceof WorkerError && typeof id === 'string' ? error.toBody(id) : error.toBody();
  }

  async #readBody(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of this.request as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MOST_BODY_BYTES) break;
        chunks.push(chunk);
      }
    } catch {
      throw new ClientGone(); // it left before it had said what it wanted
    }
    if (size <= MOST_BODY_BYTES) return Buffer.concat(chunks);
    const message = `The body is larger than ${MOST_BODY_BYTES} bytes`;
    throw new HttpError('invalid_request_error', message, { code: 413 });
  }

  #sendBody(status: number, type: string, text: string): void {
    const bytes = Buffer.from(text);
    this.response.writeHead(status, { 'content-type': type, 'content-length': bytes.length }).end(bytes);
  }

  async #write(text: string): Promise<void> {
    const { response } = this;
    if (!response.headersSent) {
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no',
      });
    }
    if (response.write(text) || response.destroyed) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        response.off('drain', settle);
        response.off('close', settle);
        this.signal.removeEventListener('abort', settle);
        resolve();
      };
      response.once('drain', settle);
      response.once('close', settle);
      this.signal.addEventListener('abort', settle, { once: true });
    });
  }
}
