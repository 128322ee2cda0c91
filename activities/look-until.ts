/** The loop of an activity that waits for something in this worker's memory: it looks, beats, and lets go when it must. */
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { NodeActivityDeps } from './deps.js';
import { shuttingDown, whyStopped } from './shutting-down.js';

/** Between two looks; reading memory costs nothing. */
const LOOK_EVERY_MS = 100;

/** What one look found: the end of the wait, or what the next beat tells. */
export type Look<Found> = { found: Found } | { beat: Record<string, unknown> };

/**
 * Looks until something is found.
 * @param beatMs - the SDK sends a beat on at 80 % of the heartbeat timeout, which should be several of these
 * @throws CancelledFailure as Temporal says; ApplicationFailure retryable when this worker shuts down
 */
export async function lookUntil<Found>(
  { now, closing }: Pick<NodeActivityDeps, 'now' | 'closing'>,
  beatMs: number,
  look: () => Look<Found>,
): Promise<Found> {
  const context = Context.current();
  const { cancellationSignal } = context;
  // Temporal lets activities go on for the whole grace of a shutdown before it tells them; nothing ends here meanwhile.
  const signal = AbortSignal.any([cancellationSignal, closing]);
  let beatAtMs = 0;
  for (;;) {
    if (cancellationSignal.aborted) throw whyStopped(cancellationSignal.reason);
    if (closing.aborted) throw shuttingDown();
    const seen = look();
    if ('found' in seen) return seen.found;
    if (now() - beatAtMs >= beatMs) {
      beatAtMs = now();
      context.heartbeat(seen.beat);
    }
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
