/**
 * Whether a run whose engine broke off goes on: from its prompt and the ids in its log, on that engine started again or on
 * another replica, so that its client sees a pause and no token twice or missing (design §4, B-DUR-003).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { EngineFault } from '../../activities/engine/adapters/engine-failure.js';
import { DroverError, type ErrorCode } from '../../contracts/errors.js';
import type { Run } from './run.js';

/** What an engine that is gone, or going, fails with. */
const BROKEN_OFF: readonly ErrorCode[] = ['WORKER_RESET', 'POOL_UNAVAILABLE'];

/** A task that brings no token so often may be what its engines die of. */
const FRUITLESS_LIMIT = 3;

/** What a process that has just died still looks like passes within this time; a living engine is not asked at once again. */
const FIRST_PAUSE_MS = 250;
/** No pause is longer, but for its jitter. */
const LONGEST_PAUSE_MS = 5_000;

/** The same task under another id begins on whichever engine is there then. */
const RETRY_AFTER_MS = 1_000;

/** A run that cannot go on, whatever engine there is; its client may ask anew (B-FLOW-005). */
export class ContinuationError extends DroverError {
  constructor(why: string) {
    super('WORKER_RESET', why, { retry_after_ms: RETRY_AFTER_MS, policy_label: 'retry' });
  }
}

/**
 * True when the failure was the engine's, and the run has not had its share of engines yet. One that is busy with the
 * work of others has done nothing wrong: it is asked until the deadline. A fault at whose answer tokens flowed is final.
 */
export function mayGoOn({ fruitless }: Pick<Run, 'fruitless'>, err: unknown): boolean {
  if (!(err instanceof DroverError) || err instanceof ContinuationError) return false;
  if (err.code === 'POOL_UNREADY') return true;
  if (err instanceof EngineFault && fruitless === 0) return false;
  return (err instanceof EngineFault || BROKEN_OFF.includes(err.code)) && fruitless < FRUITLESS_LIMIT;
}

/**
 * Pause before the next engine, in milliseconds: twice as long each time, and up to half as long again, so that tasks which
 * failed together do not come back together.
 * @param fruitless - engines that the task has had since its last token
 * @param random - in [0, 1)
 */
export function pauseMs(fruitless: number, random: number): number {
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, fruitless - 1));
  return pause * (1 + random / 2);
}

/** Waits until an engine that dies is known to be dead, and one that is troubled has had some rest. */
export async function letEngineSettle({ fruitless, abort }: Run): Promise<void> {
  const options = { signal: abort.signal };
  // Called off: there is nothing to wait for.
  await delay(pauseMs(fruitless, Math.random()), undefined, options).catch(() => undefined);
}
