/** What is decided while a model's file is fetched (B-MODEL-011..020): what an answer means, and whether to try again. */
import { RETRY_PROFILES, spanAfter } from './retry-profiles.js';

/** Why a download ends without its file. */
export const DOWNLOAD_FAILURES = {
  /** Broken off, refused for now, or not to be had: the last word after all attempts. */
  DOWNLOAD_FAILED: { passing: true },
  /** No byte for too long. */
  DOWNLOAD_TIMEOUT: { passing: true },
  /** Not the file that was asked for. */
  MODEL_CORRUPTED: { passing: true },
  MODEL_NOT_FOUND: { passing: false },
  MODEL_ACCESS_DENIED: { passing: false },
  INSUFFICIENT_DISK_SPACE: { passing: false },
  DISK_FULL: { passing: false },
  INVALID_MODEL_REFERENCE: { passing: false },
} as const satisfies Record<string, { passing: boolean }>;

/** Type of a download's failure. */
export type DownloadFailureType = keyof typeof DOWNLOAD_FAILURES;

/** True when `type` is one of them. */
export function isDownloadFailure(type: string): type is DownloadFailureType {
  return Object.hasOwn(DOWNLOAD_FAILURES, type);
}

/** A server that asks for more patience than this is asked again nevertheless. */
const LONGEST_PAUSE_MS = 300_000;

/** What failed: an attempt, counted from 1, and how. */
export interface FailedAttempt {
  attempt: number;
  type: DownloadFailureType;
  /** False for a failure that no further attempt can mend. */
  passing: boolean;
  /** Pause that the server asked for. */
  retryAfterMs: number | null;
}

/** Milliseconds until the next attempt; undefined where there is none. */
export function pauseBeforeNext({ attempt, passing, retryAfterMs }: FailedAttempt): number | undefined {
  const span = spanAfter(RETRY_PROFILES.download, attempt);
  if (!passing || span === undefined) return undefined;
  return Math.max(span, Math.min(retryAfterMs ?? 0, LONGEST_PAUSE_MS));
}

/** What a server's status says of the file. `anew`: what is there of the file is no beginning of the server's. */
export type StatusVerdict =
  | { kind: 'rest' }
  | { kind: 'whole' }
  | { kind: 'anew' }
  | { kind: 'redirect' }
  | { kind: 'failed'; type: DownloadFailureType; passing: boolean; message: string };

const REDIRECTS = [301, 302, 303, 307, 308];
/** Refusals that may be over in a moment. */
const PASSING_REFUSALS = [408, 425, 429];

/** Reads a status. @param advice - what may help where access is denied */
export function readStatus(status: number, advice: string): StatusVerdict {
  if (status === 200) return { kind: 'whole' };
  if (status === 206) return { kind: 'rest' };
  if (status === 412 || status === 416) return { kind: 'anew' };
  if (REDIRECTS.includes(status)) return { kind: 'redirect' };
  if (status === 401 || status === 403) {
    const message = `access to the model is denied (${status}); ${advice}`;
    return { kind: 'failed', type: 'MODEL_ACCESS_DENIED', passing: false, message };
  }
  if (status === 404 || status === 410) {
    const message = `there is no such model (${status})`;
    return { kind: 'failed', type: 'MODEL_NOT_FOUND', passing: false, message };
  }
  const passing = status >= 500 || PASSING_REFUSALS.includes(status);
  return { kind: 'failed', type: 'DOWNLOAD_FAILED', passing, message: `the server answered ${status}` };
}

/** `Content-Range: bytes <from>-<to>/<total>`; undefined where it says no such thing. */
export function readContentRange(
  header: string | undefined,
): { from: number; total: number | null } | undefined {
  const [, from, total] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(header ?? '') ?? [];
  if (from === undefined) return undefined;
  return { from: Number(from), total: total === '*' ? null : Number(total) };
}

/** `Retry-After` in seconds, as milliseconds; null where it is absent or a date. */
export function readRetryAfter(header: string | undefined): number | null {
  return /^\d{1,6}$/.test(header ?? '') ? Number(header) * 1000 : null;
}

/** The SHA-256 that an entity tag is, as Hugging Face's `x-linked-etag` of large files; null for any other tag. */
export function digestInTag(tag: string | undefined): string | null {
  return /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(tag ?? '')?.[1] ?? null;
}

/** A tag that proves two answers to be of one file: a weak one does not. */
export function strongTag(tag: string | undefined): string | null {
  return tag === undefined || tag.startsWith('W/') ? null : tag;
}

/** Words for a disk without room for `bytes` more; undefined where there is room (B-MODEL-018). */
export function roomProblem(bytes: number, freeBytes: number): string | undefined {
  if (bytes <= freeBytes) return undefined;
  return `the model needs ${bytes} bytes, the disk of the model cache has ${freeBytes}; free ${bytes - freeBytes} bytes`;
}

/** Milliseconds to wait so that `bytes` since the start are no faster than the limit (B-MODEL-020). */
export function pauseForLimit(bytes: number, elapsedMs: number, bytesPerSecond: number | null): number {
  if (bytesPerSecond === null) return 0;
  return Math.max(0, Math.ceil((bytes / bytesPerSecond) * 1000 - elapsedMs));
}

/** Bytes that were there at a time. */
export interface ByteSample {
  atMs: number;
  bytes: number;
}

/** The rate is that of the last so many milliseconds: longer ones hide what a line does now. */
const RATE_WINDOW_MS = 5_000;

/** The samples with one more; those before the window go, but for the last of them. */
export function withSample(samples: readonly ByteSample[], sample: ByteSample): ByteSample[] {
  const from = sample.atMs - RATE_WINDOW_MS;
  const firstInside = samples.findIndex(({ atMs }) => atMs >= from);
  const kept = firstInside === -1 ? samples.slice(-1) : samples.slice(Math.max(0, firstInside - 1));
  return [...kept, sample];
}

/** Bytes per second over the samples; 0 where they say nothing. */
export function rateOf(samples: readonly ByteSample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return Math.max(0, Math.round(((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs)));
}

/** Milliseconds until the rest is there; null where nobody knows. */
export function etaMs(bytes: number, totalBytes: number | null, bytesPerSecond: number): number | null {
  if (totalBytes === null || bytesPerSecond <= 0) return null;
  return Math.ceil(((totalBytes - Math.min(bytes, totalBytes)) / bytesPerSecond) * 1000);
}
