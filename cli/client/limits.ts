/** How long the client waits. Streams have no limit in all: a long answer is no failure (C-155). */

/** Limits in milliseconds. */
export interface Limits {
  /** A call that answers at once, its repetitions included. */
  quickMs: number;
  /** Until a connection stands, its TLS included. */
  reachMs: number;
  /** Until a stream's answer begins. */
  connectMs: number;
  /** From there until a task's first event. */
  firstEventMs: number;
  /** Between two events. */
  idleMs: number;
  /** Silence of a stream after which the API is asked whether it is still there. */
  pulseMs: number;
  /** Time that it has to answer that: the network is lost where it does not (B-INF-041). */
  pulseAnswerMs: number;
  /** For the acknowledgement of a cancel after Ctrl-C (B-INF-052). */
  acknowledgeMs: number;
}

/** What a person at a terminal waits (B-SSEC-001, B-SSEC-002). */
export const LIMITS: Limits = {
  quickMs: 10_000,
  reachMs: 5_000,
  connectMs: 10_000,
  firstEventMs: 30_000,
  idleMs: 60_000,
  pulseMs: 2_500,
  pulseAnswerMs: 2_000,
  acknowledgeMs: 5_000,
};
