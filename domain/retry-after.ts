/**
 * When one whom a full queue refused should come again: when a place will be free, and will be his (B-DP-031, B-DP-032).
 */
import type { Throughput } from './estimate.js';

/** The inherited advice; also the least, so that `Retry-After`, in whole seconds, says the same. */
const LEAST_MS = 1_000;
/** Longer than this nobody waits for an answer. */
const MOST_MS = 600_000;
/** Places come free at no even pace: so many standard deviations later than expected, nearly all are there. */
const CAUTION = 2;
/** Who was told to come is counted on for so long afterwards; then his place is anybody's. */
const GRACE_MS = 2_000;

/** What a pool has told those whom it refused. Each is told a later moment than the one before, since each takes a place. */
export class RetryAdvice {
  /** When those come back who were told to, the next first. */
  private due: number[] = [];

  /** Milliseconds after which the one who is refused now is likely to be admitted. */
  adviseMs(nowMs: number, { serviceMs }: Throughput, slotsTotal: number): number {
    this.due = this.due.filter((atMs) => atMs + GRACE_MS > nowMs);
    if (serviceMs === undefined || slotsTotal === 0) return LEAST_MS;
    const places = this.due.length + 1;
    const everyMs = serviceMs / slotsTotal;
    const wanted = (places + CAUTION * Math.sqrt(places)) * everyMs;
    const adviceMs = Math.round(Math.min(MOST_MS, Math.max(LEAST_MS, wanted)));
    if (this.due.length < MOST_EXPECTED) this.due.push(nowMs + adviceMs);
    return adviceMs;
  }
}

/** Under a flood nobody keeps a list of all whom it brought. */
const MOST_EXPECTED = 1_000;
