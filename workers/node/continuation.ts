/**
 * Whether a run whose engine broke off goes on: from its prompt and the ids in its log, on that engine started again or on
 * another replica, so that its client sees a pause and no token twice or missing (design §4, B-DUR-003).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError, type ErrorCode } from '../../contracts/errors.js';
import type { Run } from './run.js';

/** What an engine that is gone, going or coming fails with. */
const BROKEN_OFF: readonly ErrorCode[] = ['WORKER_RESET', 'POOL_UNAVAILABLE', 'POOL_UNREADY'];

/** A task that brings no token so often may be what its engines die of. */
const FRUITLESS_LIMIT = 3;

/** What a process that has just died still looks like passes within this time; a living engine is not asked at once again. */
const PAUSE_MS = 250;

/** A run that cannot go on, whatever engine there is. */
export class ContinuationError extends DroverError {
  constructor(why: string) {
    super('WORKER_RESET', why);
  }
}

/** True when the failure was the engine's, and the run has not had its share of engines yet. */
export function mayGoOn(run: Run, err: unknown): boolean {
  if (!(err instanceof DroverError) || err instanceof ContinuationError) return false;
  return BROKEN_OFF.includes(err.code) && run.fruitless < FRUITLESS_LIMIT;
}

/** Waits until an engine that dies is known to be dead. */
export async function letEngineSettle(signal: AbortSignal): Promise<void> {
  await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined); // Called off: there is nothing to wait for.
}
