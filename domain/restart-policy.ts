/** How an engine that crashed is started again: the numbers of one pool, and the delay that they give (pool-lifecycle 8.2). */
import type { CrashKind } from './crash.js';

/** Policy of one pool. Times in milliseconds. */
export interface RestartPolicy {
  /** Delay after the first crash. */
  initial_ms: number;
  /** Each further crash waits so many times longer. */
  factor: number;
  /** Longest delay. */
  cap_ms: number;
  /** Share by which a delay is made longer or shorter at random, so that pools of one node do not start together. */
  jitter: number;
  /** Least delay, whatever else gives; a graceful exit waits for this alone. */
  min_ms: number;
  /** An engine that has served so long has no crashes before it. */
  stable_ms: number;
  /** Crashes in a row that open the circuit. */
  circuit_threshold: number;
  /** How long an open circuit holds restarts; twice as long each time that its test fails. */
  circuit_open_ms: number;
  /** Longest such time. */
  circuit_open_cap_ms: number;
  /** A test restart that has served so long closes the circuit. */
  circuit_close_ms: number;
  /** Length of the sliding window in which restarts are counted. */
  window_ms: number;
  /** Restarts in it; one more waits until there is room. */
  window_restarts: number;
  /** Above so many the log warns. */
  window_warning: number;
  /** An engine that has served so long has no restarts before it. */
  window_reset_ms: number;
  /** So many restarts within `storm_ms` are a storm, which opens the circuit. */
  storm_restarts: number;
  storm_ms: number;
  /** So many crashes for want of memory within `oom_ms` are a storm of their own. */
  oom_crashes: number;
  oom_ms: number;
}

/** Where nothing else was asked for. */
export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  initial_ms: 1_000,
  factor: 2,
  cap_ms: 60_000,
  jitter: 0.1,
  min_ms: 500,
  stable_ms: 300_000,
  circuit_threshold: 5,
  circuit_open_ms: 300_000,
  circuit_open_cap_ms: 3_600_000,
  circuit_close_ms: 60_000,
  window_ms: 60_000,
  window_restarts: 10,
  window_warning: 5,
  window_reset_ms: 600_000,
  storm_restarts: 10,
  storm_ms: 30_000,
  oom_crashes: 5,
  oom_ms: 60_000,
};

/** Something in a policy that does not fit. */
export interface PolicyProblem {
  field: keyof RestartPolicy;
  problem: string;
}

/** Why a policy cannot be used; each number for itself has been checked (B-SUPER-029). */
export function policyProblems(policy: RestartPolicy): PolicyProblem[] {
  const { initial_ms, cap_ms, min_ms, circuit_open_ms, circuit_open_cap_ms } = policy;
  const problems: PolicyProblem[] = [];
  if (policy.factor < 1) problems.push({ field: 'factor', problem: 'must be 1 or more' });
  if (policy.jitter < 0 || policy.jitter > 1)
    problems.push({ field: 'jitter', problem: 'must be from 0 to 1' });
  if (cap_ms < initial_ms) problems.push({ field: 'cap_ms', problem: 'must not be below initial_ms' });
  if (cap_ms < min_ms) problems.push({ field: 'cap_ms', problem: 'must not be below min_ms' });
  if (circuit_open_cap_ms < circuit_open_ms)
    problems.push({ field: 'circuit_open_cap_ms', problem: 'must not be below circuit_open_ms' });
  return problems;
}

/**
 * Limits of a policy that nothing can reach, each in a sentence (B-SUPER-052, C-045). Restarts come fastest after graceful
 * exits, which wait `min_ms`; crashes come as fast as their delays and the circuit let them.
 */
export function deadLimits(policy: RestartPolicy): string[] {
  const { window_restarts, window_ms, window_warning, storm_restarts, storm_ms, oom_crashes, oom_ms } =
    policy;
  const restartsTake = (count: number) => (count - 1) * policy.min_ms;
  const dead: string[] = [];
  if (restartsTake(window_restarts) >= window_ms)
    dead.push(
      `window_restarts: ${window_restarts} restarts take longer than window_ms, even ${policy.min_ms} ms apart`,
    );
  if (window_warning >= window_restarts)
    dead.push('window_warning: there are never more restarts in the window than window_restarts');
  if (restartsTake(storm_restarts) >= storm_ms)
    dead.push(
      `storm_restarts: ${storm_restarts} restarts take longer than storm_ms, even ${policy.min_ms} ms apart`,
    );
  if (window_ms >= storm_ms && storm_restarts > window_restarts)
    dead.push('storm_restarts: window_restarts holds restarts up before there are so many');
  if (oom_crashes > policy.circuit_threshold)
    dead.push('oom_crashes: the circuit opens at circuit_threshold, before there are so many');
  else if (crashesTake(policy, oom_crashes) > oom_ms)
    dead.push(`oom_crashes: ${oom_crashes} crashes take longer than oom_ms with the delays between them`);
  return dead;
}

/** The shortest time from the first of so many crashes to the last. */
function crashesTake(policy: RestartPolicy, count: number): number {
  let sum = 0;
  for (let crash = 1; crash < count; crash += 1) sum += backoffMs(policy, crash, 'out_of_memory', 0);
  return sum;
}

/** A driver that has failed needs longer than a program (C-046). */
const CUDA_FACTOR = 2;

/**
 * The delay before the restart after the n-th crash in a row (B-SUPER-010..013, C-045, C-049).
 * @param crashCount - n; 0 for an exit that counts as no crash
 * @param random - from 0 to 1
 */
export function backoffMs(
  policy: RestartPolicy,
  crashCount: number,
  kind: CrashKind,
  random: number,
): number {
  const { initial_ms, factor, cap_ms, jitter, min_ms } = policy;
  if (crashCount === 0) return min_ms;
  const base = initial_ms * factor ** (crashCount - 1) * (kind === 'cuda_error' ? CUDA_FACTOR : 1);
  const shaken = Math.min(base, cap_ms) * (1 + jitter * (2 * random - 1));
  return Math.round(Math.max(min_ms, Math.min(cap_ms, shaken)));
}
