/** When a call is tried again, and how long after (nodes-and-workers 9). Pure: chance and time are arguments. */
import { spanAfter, type RetryProfile } from '../../domain/retry-profiles.js';

/** What is known after an attempt has failed. */
export interface FailedAttempt {
  /** How many attempts there were, this one included. */
  attempt: number;
  /** What the server asked for in `Retry-After`. */
  retryAfterMs: number | undefined;
  /** What is left of the time for all attempts. */
  remainingMs: number;
}

/** True for a status that another attempt may change (B-HTTP-003, B-HTTP-004). */
export function isPassingStatus(status: number): boolean {
  return status === 429 || status >= 500;
}

/**
 * How long to wait before the next attempt.
 * @param chance - from 0 to 1
 * @returns undefined where there is none: the attempts are used up, or the wait would outlast the time
 */
export function retryDelayMs(
  profile: RetryProfile,
  { attempt, retryAfterMs, remainingMs }: FailedAttempt,
  chance: number,
): number | undefined {
  const span = spanAfter(profile, attempt);
  if (span === undefined) return undefined;
  // The whole span is drawn from ("full jitter").
  const delayMs = retryAfterMs ?? Math.round(span * chance);
  return delayMs < remainingMs ? delayMs : undefined;
}

/** `Retry-After` in milliseconds: seconds, or a date; undefined where it says nothing that can be read. */
export function readRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = text === '' ? NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
