/**
 * The ready callback: once its HTTP server is up, before the model is loaded, a worker tells whoever started it where it is.
 * That it has been loaded is seen by its health.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** What is told. */
export interface ReadyCallback {
  readonly worker_id: string;
  readonly url: string;
  readonly model_ref: string;
  readonly backend: string;
  readonly device: string | null;
}

/** How it went; `status` undefined: nobody answered. */
export interface CallbackOutcome {
  readonly accepted: boolean;
  readonly status: number | undefined;
}

const ANSWER_LIMIT_MS = 5_000;
const FIRST_DELAY_MS = 200;
/** With their delays they take some 25 s: the one who waits gives up after 30. */
const ATTEMPTS = 8;

/**
 * Sends it until it is accepted, or refused for good.
 *
 * @param key - bearer token, where one is wanted
 */
export async function sendReadyCallback(
  callbackUrl: string,
  body: ReadyCallback,
  { key, signal }: { key: string | undefined; signal: AbortSignal },
): Promise<CallbackOutcome> {
  let status: number | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; attempt++) {
    if (attempt > 0)
      await pause(FIRST_DELAY_MS * 2 ** (attempt - 1), undefined, { signal }).catch(() => undefined);
    status = await post(callbackUrl, body, { key, signal });
    if (status !== undefined && status < 300) return { accepted: true, status };
    if (status !== undefined && status < 500 && status !== 429) break;
  }
  return { accepted: false, status };
}

async function post(
  url: string,
  body: ReadyCallback,
  { key, signal }: { key: string | undefined; signal: AbortSignal },
): Promise<number | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([AbortSignal.timeout(ANSWER_LIMIT_MS), signal]),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined; // Not there (yet), or too slow: the next attempt tells.
  }
}
