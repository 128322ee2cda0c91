/** Preloads the pool `default` through the API, as anybody could, and waits until the API says that it is ready. */
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { PreparedEngine } from '../contracts/pool.js';
import type { AskApi } from './ask-api.js';
import { StackError, type Say } from './stack-error.js';

/** Health may take this long, as the workflow allows (design §3): large models load slowly. */
const HEALTH_LIMIT_MS = 120_000;
/** The preload's own limit, and the probe after it. */
const WAIT_MS = HEALTH_LIMIT_MS + 30_000;
/** A poll of `/readyz` costs nothing. */
const LOOK_MS = 200;
/** Silence after which the person at the terminal is told what is waited for. */
const TELL_EVERY_MS = 5_000;

const envelope = z.object({ code: z.string(), message: z.string() });

/** How to reach the API. */
export interface ApiAccess {
  url: string;
  key: string;
  /** Default: the platform's `fetch`. */
  ask?: AskApi;
}

/**
 * Preloads and waits.
 * @throws StackError with the API's own code and message when the preload fails or is not over in time
 */
export async function preloadDefaultPool(
  api: ApiAccess,
  prepared: PreparedEngine,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const telling = tellWhatIsMissing(api, say, AbortSignal.any([signal, over.signal]));
  try {
    await orderPreload(api, prepared, signal);
    await awaitReady(api, signal);
  } finally {
    over.abort();
    await telling;
  }
}

/**
 * Waits until the pools of the configuration file, which the API loads by itself, are ready or have failed; a pool that
 * has failed is told, and the others serve.
 */
export async function awaitPools(
  api: ApiAccess,
  poolIds: readonly string[],
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const giveUpAt = Date.now() + WAIT_MS;
  const missing = new Set(poolIds);
  say(`the API loads the pools of the configuration file: ${poolIds.join(', ')}`);
  while (missing.size > 0) {
    for (const { pool_id, state, last_error } of await poolsNow(api, signal)) {
      if (!missing.has(pool_id) || (state !== 'ready' && state !== 'failed')) continue;
      missing.delete(pool_id);
      say(state === 'ready' ? `pool "${pool_id}" is ready` : `pool "${pool_id}" failed: ${last_error ?? ''}`);
    }
    if (missing.size > 0 && Date.now() > giveUpAt) {
      return say(`not ready after ${WAIT_MS / 1000} s, and still tried: ${[...missing].join(', ')}`);
    }
    await pause(LOOK_MS, undefined, { signal });
  }
}

const poolsBody = z.object({
  pools: z.array(z.object({ pool_id: z.string(), state: z.string(), last_error: z.string().nullable() })),
});

async function poolsNow({ url, key, ask = fetch }: ApiAccess, signal: AbortSignal) {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(HEALTH_LIMIT_MS)]);
    const response = await ask(`${url}/v2/pools`, { headers: { 'X-API-Key': key }, signal: limit });
    return poolsBody.parse(await response.json()).pools;
  } catch {
    signal.throwIfAborted();
    return []; // An API that ends in the middle of it is started again.
  }
}

/** The order is the same however often it is given; an API that ends in the middle of it is started again. */
async function orderPreload(api: ApiAccess, prepared: PreparedEngine, signal: AbortSignal): Promise<void> {
  const giveUpAt = Date.now() + WAIT_MS;
  for (;;) {
    try {
      return await postPreload(api, prepared, signal);
    } catch (err) {
      signal.throwIfAborted();
      if (err instanceof StackError) throw err;
      if (Date.now() > giveUpAt)
        throw new StackError(`the API does not answer at ${api.url}`, { cause: err });
      await pause(LOOK_MS, undefined, { signal });
    }
  }
}

async function postPreload(
  { url, key, ask = fetch }: ApiAccess,
  prepared: PreparedEngine,
  signal: AbortSignal,
): Promise<void> {
  const response = await ask(`${url}/v2/pools/${prepared.pool_id}/preload`, {
    method: 'POST',
    headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
    body: JSON.stringify({ prepared, wait_ms: WAIT_MS, health_timeout_ms: HEALTH_LIMIT_MS }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(WAIT_MS + HEALTH_LIMIT_MS)]),
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return;
  const told = envelope.safeParse(body);
  const why = told.success ? `${told.data.code}: ${told.data.message}` : `status ${response.status}`;
  throw new StackError(`the pool "${prepared.pool_id}" could not be preloaded: ${why}`);
}

async function awaitReady(api: ApiAccess, signal: AbortSignal): Promise<void> {
  const giveUpAt = Date.now() + WAIT_MS;
  for (;;) {
    const missing = await missingNow(api, signal);
    if (missing === undefined) return;
    if (Date.now() > giveUpAt) throw new StackError(`the API is not ready: ${missing}`);
    await pause(LOOK_MS, undefined, { signal });
  }
}

/** What `/readyz` says is missing; undefined when it is ready. */
async function missingNow({ url, ask = fetch }: ApiAccess, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await ask(`${url}/readyz`, { signal });
    const told = envelope.safeParse(await response.json().catch(() => undefined));
    if (response.ok) return undefined;
    return told.success ? told.data.message : `status ${response.status}`;
  } catch (err) {
    signal.throwIfAborted();
    return `no answer (${err instanceof Error ? err.message : String(err)})`;
  }
}

async function tellWhatIsMissing(api: ApiAccess, say: Say, signal: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  try {
    for (;;) {
      await pause(TELL_EVERY_MS, undefined, { signal });
      const missing = await missingNow(api, signal);
      say(
        `still waiting after ${Math.round((Date.now() - startedAt) / 1000)} s: ${missing ?? 'nothing more'}`,
      );
    }
  } catch {
    // Only the end of the wait ends it.
  }
}
