/** When a call is tried again, and how long after (nodes-and-workers 9). Pure: chance and time are arguments. */
import { RETRY_PROFILES, spanAfter, type RetryProfile } from '../../domain/retry-profiles.js';

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

/** Refusals that say: all are busy, and the queue is full. */
const BUSY: readonly string[] = [
  ...['ADMISSION_REJECT', 'QUEUE_FULL_DROP_LRU', 'REPLICA_EXHAUSTED', 'NO_IDLE_WORKERS', 'ALL_SLOTS_BUSY'],
];

/** True for a refusal of this code where waiting for others to end is all that helps. */
export function isBusy(code: string): boolean {
  return BUSY.includes(code);
}

/**
 * How long to wait before those who are busy are asked again (B-INF-021): the schedule's whole span, or longer where the server
 * says so.
 * @returns undefined where there is no other attempt, or the server asks for more time than all attempts have
 */
export function busyDelayMs({ attempt, retryAfterMs = 0, remainingMs }: FailedAttempt): number | undefined {
  const span = spanAfter(RETRY_PROFILES['worker-busy'], attempt);
  return span === undefined || retryAfterMs >= remainingMs ? undefined : Math.max(span, retryAfterMs);
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
