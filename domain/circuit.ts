/**
 * A circuit between crashes and restarts (pool-lifecycle 8.3):
 *
 * ```
 * closed ──threshold, storm──> open ──its time is over, or an operator──> half_open ──stable──> closed
 *                               ^                                            │
 *                               └───────────── the test fails ──────────────┘   an operator's reset: closed
 * ```
 */
import type { RestartPolicy } from './restart-policy.js';

/** When a circuit opens, and for how long. */
export type CircuitPolicy = Pick<
  RestartPolicy,
  'circuit_threshold' | 'circuit_open_ms' | 'circuit_open_cap_ms'
>;

/** State of a circuit. */
export type CircuitState = 'closed' | 'open' | 'half_open';

/** As the gauge `circuit_breaker_state` shows it (B-SUPER-043). */
export const CIRCUIT_GAUGE: Readonly<Record<CircuitState, number>> = { closed: 0, open: 1, half_open: 2 };

/** One circuit. */
export interface Circuit {
  state: CircuitState;
  /** Crashes in a row. */
  failures: number;
  /** Times that it has opened since it was last closed. */
  openings: number;
  /** When its time is over; null while it is not open. */
  open_until_ms: number | null;
}

/** A circuit without a past. */
export const CLOSED: Circuit = { state: 'closed', failures: 0, openings: 0, open_until_ms: null };

/** One more crash: the circuit opens at the threshold, and again when it was being tested (B-SUPER-020, B-SUPER-025). */
export function afterCrash(circuit: Circuit, policy: CircuitPolicy, nowMs: number): Circuit {
  const counted = { ...circuit, failures: circuit.failures + 1 };
  const mustOpen = circuit.state === 'half_open' || counted.failures >= policy.circuit_threshold;
  return mustOpen ? opened(counted, policy, nowMs) : counted;
}

/** Opens, for twice as long as the last time; one that is open goes on as it is (B-SUPER-040). */
export function opened(circuit: Circuit, policy: CircuitPolicy, nowMs: number): Circuit {
  if (circuit.state === 'open') return circuit;
  const openMs = Math.min(policy.circuit_open_cap_ms, policy.circuit_open_ms * 2 ** circuit.openings);
  return { ...circuit, state: 'open', openings: circuit.openings + 1, open_until_ms: nowMs + openMs };
}

/** Lets one restart through, if it is open. */
export function tested(circuit: Circuit): Circuit {
  return circuit.state === 'open' ? { ...circuit, state: 'half_open', open_until_ms: null } : circuit;
}
