/**
 * What is done about an engine that crashed: a supervisor's memory of one pool and a fact in, the next memory, the
 * circuits' transitions and the plan out. Equal facts give the equal verdict; time and chance are arguments.
 */
import { afterCrash, CLOSED, opened, tested, type Circuit, type CircuitState } from './circuit.js';
import type { CrashKind } from './crash.js';
import { backoffMs, type RestartPolicy } from './restart-policy.js';
import { countWithin, roomAtMs, withOneMore } from './restart-window.js';

/** CUDA errors have a circuit of their own; either one holds restarts while it is open (C-046). */
export type CircuitName = 'general' | 'cuda';

const CIRCUITS: readonly CircuitName[] = ['general', 'cuda'];

/** What a supervisor remembers of its pool; plain JSON, it is handed on from run to run. */
export interface Supervision {
  /** Crashes in a row. */
  crash_count: number;
  restart_count: number;
  /** Restarts and crashes for want of memory, as far back as a window reaches. */
  restarts_at_ms: number[];
  ooms_at_ms: number[];
  general: Circuit;
  cuda: Circuit;
}

/** A pool without a past. */
export const UNDISTURBED: Supervision = {
  crash_count: 0,
  restart_count: 0,
  restarts_at_ms: [],
  ooms_at_ms: [],
  general: CLOSED,
  cuda: CLOSED,
};

/** A circuit changed its state. */
export interface CircuitTransition {
  circuit: CircuitName;
  old_state: CircuitState;
  new_state: CircuitState;
  failure_count: number;
}

/** Too much in too short a time. */
export interface Storm {
  kind: 'restart_storm' | 'oom_storm';
  count: number;
  window_ms: number;
}

/** What comes next: a restart after a delay, or none before `at_ms`, when one is let through as a test. */
export interface RestartPlan {
  held: boolean;
  at_ms: number;
  /** The window was full: the restart comes later than its backoff asks for. */
  rate_limited: boolean;
}

/** What follows from a crash. */
export interface CrashVerdict {
  next: Supervision;
  transitions: CircuitTransition[];
  storms: Storm[];
  plan: RestartPlan;
}

/**
 * Takes a crash in. A graceful exit counts as none, yet what it starts again counts in the window (C-048).
 * @param random - from 0 to 1
 */
export function takeCrash(
  before: Supervision,
  kind: CrashKind,
  policy: RestartPolicy,
  nowMs: number,
  random: number,
): CrashVerdict {
  const counted = kind === 'graceful_exit' ? before : counting(before, kind, policy, nowMs);
  const storms = stormsOf(before, counted, policy, nowMs);
  const isStorm = storms.some((storm) => storm.kind === 'restart_storm');
  const next = isStorm ? { ...counted, general: opened(counted.general, policy, nowMs) } : counted;
  const plan = heldPlan(next) ?? restartPlan(next, kind, policy, nowMs, random);
  return { next, transitions: transitionsOf(before, next), storms, plan };
}

function counting(before: Supervision, kind: CrashKind, policy: RestartPolicy, nowMs: number): Supervision {
  const crash_count = before.crash_count + 1;
  const own: CircuitName = kind === 'cuda_error' ? 'cuda' : 'general';
  // A test that crashes has failed, whichever circuit the crash would have counted for.
  const concerned = CIRCUITS.filter((name) => name === own || before[name].state === 'half_open');
  const circuits = Object.fromEntries(
    concerned.map((name) => [name, afterCrash(before[name], policy, nowMs)]),
  );
  const ooms_at_ms =
    kind === 'out_of_memory' ? withOneMore(before.ooms_at_ms, policy.oom_ms, nowMs) : before.ooms_at_ms;
  return { ...before, ...circuits, crash_count, ooms_at_ms };
}

function stormsOf(
  before: Supervision,
  { restarts_at_ms, ooms_at_ms }: Supervision,
  policy: RestartPolicy,
  nowMs: number,
): Storm[] {
  const { storm_ms, oom_ms } = policy;
  const restarts = countWithin(restarts_at_ms, storm_ms, nowMs);
  const ooms = countWithin(ooms_at_ms, oom_ms, nowMs);
  const storms: Storm[] = [];
  if (restarts >= policy.storm_restarts)
    storms.push({ kind: 'restart_storm', count: restarts, window_ms: storm_ms });
  if (ooms_at_ms !== before.ooms_at_ms && ooms >= policy.oom_crashes)
    storms.push({ kind: 'oom_storm', count: ooms, window_ms: oom_ms });
  return storms;
}

/** Both circuits must have had their time. */
function heldPlan(state: Supervision): RestartPlan | undefined {
  const until = CIRCUITS.flatMap((name) => state[name].open_until_ms ?? []);
  return until.length === 0 ? undefined : { held: true, at_ms: Math.max(...until), rate_limited: false };
}

function restartPlan(
  { crash_count, restarts_at_ms }: Supervision,
  kind: CrashKind,
  policy: RestartPolicy,
  nowMs: number,
  random: number,
): RestartPlan {
  const graceful = kind === 'graceful_exit';
  const dueMs = nowMs + backoffMs(policy, graceful ? 0 : crash_count, kind, random);
  const { window_restarts: limit, window_ms: windowMs } = policy;
  const roomMs = roomAtMs(restarts_at_ms, { limit, windowMs }, nowMs);
  return { held: false, at_ms: Math.max(dueMs, roomMs), rate_limited: roomMs > dueMs };
}

/** A change of a supervisor's memory, and what it did to the circuits. */
export interface Change {
  next: Supervision;
  transitions: CircuitTransition[];
}

/** Open circuits let one restart through: their time is over, or an operator wants to see (B-SUPER-022, B-SUPER-039). */
export function letOneThrough(before: Supervision): Change {
  const next = { ...before, general: tested(before.general), cuda: tested(before.cuda) };
  return { next, transitions: transitionsOf(before, next) };
}

/** A restart begins. */
export function countRestart(before: Supervision, policy: RestartPolicy, nowMs: number): Supervision {
  const longest = Math.max(policy.window_ms, policy.storm_ms);
  const restarts_at_ms = withOneMore(before.restarts_at_ms, longest, nowMs);
  return { ...before, restart_count: before.restart_count + 1, restarts_at_ms };
}

/** The engine has served for so long: each period that is over forgives what it is there to forgive. */
export function afterServing(before: Supervision, policy: RestartPolicy, servedMs: number): Change {
  let next = before;
  const isTested = CIRCUITS.some((name) => before[name].state === 'half_open');
  if ((isTested && servedMs >= policy.circuit_close_ms) || servedMs >= policy.stable_ms)
    next = { ...next, crash_count: 0, general: CLOSED, cuda: CLOSED };
  if (servedMs >= policy.window_reset_ms)
    next = { ...next, restart_count: 0, restarts_at_ms: [], ooms_at_ms: [] };
  return { next, transitions: transitionsOf(before, next) };
}

/** How long the engine must have served for the next forgiveness; undefined when there is nothing to forgive. */
export function nextForgivenessMs(
  state: Supervision,
  policy: RestartPolicy,
  servedMs: number,
): number | undefined {
  const isTested = CIRCUITS.some((name) => state[name].state === 'half_open');
  const hasCrashed = state.crash_count > 0 || CIRCUITS.some((name) => state[name].failures > 0);
  const periods = [
    ...(isTested ? [policy.circuit_close_ms] : []),
    ...(hasCrashed || isTested ? [policy.stable_ms] : []),
    ...(state.restart_count > 0 ? [policy.window_reset_ms] : []),
  ];
  const ahead = periods.filter((periodMs) => periodMs > servedMs);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}

/** An operator has mended what was broken: circuits closed, nothing counts any more (B-SUPER-044). */
export function reset(before: Supervision): Change {
  const { restart_count } = before;
  const next = { ...UNDISTURBED, restart_count };
  return { next, transitions: transitionsOf(before, next) };
}

function transitionsOf(before: Supervision, after: Supervision): CircuitTransition[] {
  return CIRCUITS.flatMap((circuit) => {
    const [old, now] = [before[circuit], after[circuit]];
    if (old.state === now.state) return [];
    return [{ circuit, old_state: old.state, new_state: now.state, failure_count: now.failures }];
  });
}
