/**
 * The HTTP server. It listens before the model is loaded and answers 503 until then, so that whoever waits for the
 * engine can tell "still loading" from "not there".
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { log } from './events.js';
import { HttpError } from './http-error.js';
import { ClientGone, Exchange } from './http-exchange.js';
import type { Engine } from './load-engine.js';
import { findHandler } from './routes.js';
import type { WorkerApi } from './worker-api.js';
import { WorkerError } from './worker-error.js';

/** Longer than any pool of client connections keeps an idle one, so that we never close one that is being reused. */
const KEEP_ALIVE_MS = 75_000;
/** A computation that has begun cannot be interrupted; after this the process ends in its midst. */
const STOP_GRACE_MS = 2_000;

/** The server of one engine. */
export class EngineServer {
  readonly #server: Server;
  readonly #exchanges = new Set<Exchange>();
  #engine: Engine | undefined;
  #stopping = false;

  /** @param worker - the routes that it has beside llama-server's */
  constructor(private readonly worker: WorkerApi) {
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      void this.#handle(request, response);
    });
  }

  /** Opens the port; throws when it is taken. */
  async listen(host: string, port: number): Promise<{ url: string; host: string; port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    // A server that listens on a host and port has an address of this form.
    const { address, family, port: actualPort } = this.#server.address() as AddressInfo;
    const urlHost = family === 'IPv6' ? `[${address}]` : address;
    return { url: `http://${urlHost}:${actualPort}`, host: address, port: actualPort };
  }

  /** From now on requests are worked on. */
  serve(engine: Engine): void {
    this.#engine = engine;
  }

  /** Ends all work and all connections. Streams end with an error event, so that nobody takes them for complete. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#server.close();
    for (const exchange of this.#exchanges) exchange.abort(shuttingDown());
    const deadline = Date.now() + STOP_GRACE_MS;
    while (this.#exchanges.size > 0 && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 5));
    }
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = new Exchange(request, response, new URL(request.url ?? '/', 'http://engine'));
    this.#exchanges.add(exchange);
    try {
      await this.#dispatch(exchange);
    } catch (error) {
      if (error instanceof ClientGone || exchange.signal.reason instanceof ClientGone) return;
      exchange.fail(toHttpError(error));
    } finally {
      this.#exchanges.delete(exchange);
    }
  }

  async #dispatch(exchange: Exchange): Promise<void> {
    const { method = 'GET' } = exchange.request;
    const path = exchange.url.pathname;
    if (this.#stopping) throw shuttingDown();
    if (await this.worker.answer(this.#engine, exchange)) return;
    if (this.#engine === undefined) throw new HttpError('unavailable_error', 'Loading model');
    if (method === 'GET' && (path === '/health' || path === '/v1/health')) {
      exchange.sendJson({ status: 'ok', vram_bytes: this.#engine.vramBytes });
      return;
    }
    const handler = findHandler(method, path);
    if (handler === undefined) throw new HttpError('not_found_error', 'File Not Found');
    await handler(this.#engine, exchange);
  }
}

function shuttingDown(): HttpError {
  return new HttpError('unavailable_error', 'The server is shutting down');
}

/** What we threw for the client, or an error of ours, which is logged and not told. */
function toHttpError(error: unknown): HttpError | WorkerError {
  if (error instanceof HttpError || error instanceof WorkerError) return error;
  log(`request failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return new HttpError('server_error', 'The engine failed; its log says why');
}
