/** When a call that failed is made again: one named schedule for each kind of call, and nowhere another (C-165). */

/** A schedule: the span before the next attempt doubles from attempt to attempt. */
export interface RetryProfile {
  /** All of them, the first one included. */
  attempts: number;
  /** Span after the first attempt. */
  baseMs: number;
  /** Longest span. */
  capMs: number;
}

/** Every schedule by its name. */
export const RETRY_PROFILES = {
  /** Calls of the command line; a wait is drawn from its span. */
  cli: { attempts: 3, baseMs: 100, capMs: 2_000 },
  /** What is refused because all are busy: asked again after 1, 2 and 4 s, and not before `Retry-After` (B-INF-021). */
  'worker-busy': { attempts: 4, baseMs: 1_000, capMs: 4_000 },
  /** A stream that was cut is taken up as long as its idle limit allows; a wait is drawn from its span. */
  resume: { attempts: Infinity, baseMs: 100, capMs: 2_000 },
  /** A file of a model, each attempt from where the last one ended. */
  download: { attempts: 6, baseMs: 100, capMs: 1_600 },
  /** A visit of a node by SSH: at once, after 200 ms, after 400 ms. */
  'node-connect': { attempts: 3, baseMs: 200, capMs: 400 },
  /** A node worker that has lost its API: five more tries are a round (B-NODE-036), each up to a second later by chance. */
  partition: { attempts: 6, baseMs: 1_000, capMs: 16_000 },
} as const satisfies Record<string, RetryProfile>;

/** Beyond it a doubling is no number any more; every cap is reached long before. */
const MOST_DOUBLINGS = 30;

/**
 * Span before the attempt after this one.
 * @param attempt - counted from 1
 * @returns undefined where there is none: the attempts are used up
 */
export function spanAfter({ attempts, baseMs, capMs }: RetryProfile, attempt: number): number | undefined {
  if (attempt >= attempts) return undefined;
  return Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, MOST_DOUBLINGS));
}
