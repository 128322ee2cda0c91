/** Until when somebody wants the answer of an inference. */
import { WorkerError } from './worker-error.js';

/** Header with that instant, ISO 8601. */
export const DEADLINE_HEADER = 'x-request-deadline';
/** Where none is given. */
const DEFAULT_LIMIT_MS = 30_000;
/** Beyond this it is as good as none: timers reach no further. */
const LONGEST_LIMIT_MS = 86_400_000;

/**
 * The instant in ms since 1970.
 *
 * @param given the header as it came
 * @throws WorkerError INVALID_REQUEST
 */
export function readDeadline(given: string | readonly string[] | undefined, nowMs: number): number {
  if (given === undefined) return nowMs + DEFAULT_LIMIT_MS;
  const atMs = typeof given === 'string' ? Date.parse(given) : NaN;
  if (!Number.isNaN(atMs)) return Math.min(atMs, nowMs + LONGEST_LIMIT_MS);
  const constraint = 'an instant in ISO 8601';
  const message = `${DEADLINE_HEADER} must be ${constraint}`;
  const errors = [{ field: DEADLINE_HEADER, constraint, message }];
  throw new WorkerError('INVALID_REQUEST', message, { errors });
}
