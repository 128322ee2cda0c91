/**
 * The worker's own routes, beside those of llama-server: what nodes and workers have agreed on. They answer before the model is
 * loaded, too, and want the worker's key where it has one.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Exchange } from './http-exchange.js';
import { Inferences } from './inferences.js';
import { answerInference } from './inference-route.js';
import type { Engine } from './load-engine.js';
import type { LoadingProgress } from './loading-progress.js';
import { WorkerError } from './worker-error.js';

/** What the routes know of the worker. */
export interface WorkerApiOptions {
  readonly progress: LoadingProgress;
  /** Key that they want as a bearer token; undefined: none. */
  readonly key: string | undefined;
  /** The largest `max_tokens` of an inference. */
  readonly mostTokens: number;
  /** Base URL under which others reach the worker; known once it listens. */
  url: () => string;
  /** Ends the process when the worker has drained; undefined: it is not asked to over HTTP. */
  readonly shutDown: (() => void) | undefined;
}

/** `POST` alone would wait for ever behind a hung stream. */
const DRAIN_LIMIT_MS = 30_000;
const PROGRESS_PATHS = ['/v1/loading/progress', '/v1/progress'];
const INFERENCE = '/v1/inference';

/** The routes of one worker. */
export class WorkerApi {
  readonly #inferences = new Inferences();
  #draining = false;

  constructor(private readonly options: WorkerApiOptions) {}

  /** Answers a request for one of its routes; false where it is for another. */
  async answer(engine: Engine | undefined, exchange: Exchange): Promise<boolean> {
    const handler = this.#find(exchange);
    if (handler === undefined) return false;
    this.#requireKey(exchange);
    await handler(engine);
    return true;
  }

  #find(exchange: Exchange): ((engine: Engine | undefined) => Promise<void> | void) | undefined {
    const { method = 'GET' } = exchange.request;
    const path = exchange.url.pathname;
    if (method === 'GET' && path === '/v1/ready') return (engine) => this.#tellReady(engine, exchange);
    if (method === 'GET' && PROGRESS_PATHS.includes(path)) return () => this.#tellProgress(exchange);
    if (method === 'POST' && path === INFERENCE) return (engine) => this.#infer(engine, exchange);
    if (method === 'DELETE' && path.startsWith(`${INFERENCE}/`)) return () => this.#cancel(exchange, path);
    if (method === 'POST' && path === '/v1/admin/shutdown' && this.options.shutDown !== undefined) {
      return () => this.#drain(exchange);
    }
    return undefined;
  }

  #requireKey({ request }: Exchange): void {
    const { key } = this.options;
    if (key === undefined) return;
    const given = /^Bearer +(\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined)
      throw new WorkerError('MISSING_TOKEN', 'a bearer token is needed', { auth_code: 40101 });
    if (!isSame(given, key)) throw new WorkerError('BAD_TOKEN', 'the token is wrong', { auth_code: 40102 });
  }

  #tellReady(engine: Engine | undefined, exchange: Exchange): void {
    if (engine === undefined) {
      const progress_url = `${this.options.url()}${PROGRESS_PATHS[0] ?? ''}`;
      exchange.sendJson({ ready: false, state: 'loading', progress_url });
      return;
    }
    const state = this.#draining ? 'draining' : engine.pool.busy === 0 ? 'idle' : 'busy';
    exchange.sendJson({ ready: !this.#draining, state, model_loaded: true });
  }

  async #tellProgress(exchange: Exchange): Promise<void> {
    const { progress } = this.options;
    if (!progress.isTold)
      throw new WorkerError('NOT_LOADING', 'the model is loaded: there is no progress to tell');
    exchange.startPings();
    for await (const frame of progress.follow(exchange.signal)) await exchange.sendEvent(frame);
    if (exchange.signal.aborted) throw exchange.signal.reason as Error;
    await exchange.sendEvent('[DONE]');
    exchange.endStream();
  }

  async #infer(engine: Engine | undefined, exchange: Exchange): Promise<void> {
    if (this.#draining)
      throw new WorkerError('WORKER_DRAINING', 'the worker is ending', { state: 'draining' });
    if (engine === undefined)
      throw new WorkerError('WORKER_LOADING', 'the model is being loaded', { state: 'loading' });
    const { mostTokens } = this.options;
    await answerInference(engine, exchange, { inferences: this.#inferences, mostTokens });
  }

  async #cancel(exchange: Exchange, path: string): Promise<void> {
    await this.#inferences.cancel(decodeURIComponent(path.slice(INFERENCE.length + 1)));
    exchange.sendNothing();
  }

  /** Takes nothing new, lets what runs come to its end within a limit, then ends the process. */
  async #drain(exchange: Exchange): Promise<void> {
    this.#draining = true;
    exchange.sendJson({ state: 'draining' }, 202);
    await this.#inferences.idle(AbortSignal.timeout(DRAIN_LIMIT_MS));
    this.options.shutDown?.();
  }
}

/** Of equal length whatever was given, so that comparing tells nothing by its time. */
function isSame(given: string, key: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(key));
}
