/** How long an engine may take from its spawn until it is healthy, where nobody says otherwise (C-158). */
import { isEmbeddedEngine } from './launch-flags.js';

/** An engine of others. */
export const HEALTH_LIMIT_MS = 120_000;
/** One that has told that it is up and tells of its layers: it is known to be at work, so a large model gets its time. */
export const WORKER_LOAD_LIMIT_MS = 300_000;

/** What is asked for, else what such an engine gets. */
export function healthLimitMs(launch: { flags: readonly string[] }, askedMs: number | undefined): number {
  return askedMs ?? (isEmbeddedEngine(launch) ? WORKER_LOAD_LIMIT_MS : HEALTH_LIMIT_MS);
}
