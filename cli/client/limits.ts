/** How long the client waits. Streams have no limit in all: a long answer is no failure (C-155). */

/** Limits in milliseconds. */
export interface Limits {
  /** A call that answers at once, its repetitions included. */
  quickMs: number;
  /** Until a stream's answer begins. */
  connectMs: number;
  /** From there until a task's first event. */
  firstEventMs: number;
  /** Between two events. */
  idleMs: number;
  /** For the acknowledgement of a cancel after Ctrl-C (B-INF-052). */
  acknowledgeMs: number;
}

/** What a person at a terminal waits (B-SSEC-001, B-SSEC-002). */
export const LIMITS: Limits = {
  quickMs: 10_000,
  connectMs: 10_000,
  firstEventMs: 30_000,
  idleMs: 60_000,
  acknowledgeMs: 5_000,
};
