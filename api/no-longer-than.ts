/** Waiting with a bound, where whoever waits goes on without. */
import { setTimeout as delay } from 'node:timers/promises';

/** Waits for `work`, but no longer than this; what it rejects with within that time is thrown. */
export async function noLongerThan(ms: number, work: Promise<void>): Promise<void> {
  const enough = new AbortController();
  const late = delay(ms, undefined, { signal: enough.signal }).catch(() => undefined);
  await Promise.race([work, late]).finally(() => enough.abort());
}
