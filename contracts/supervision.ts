/** Supervision of pools: a pool's restart policy, what the node tells of a crash, and how a supervisor stands (pool-lifecycle 8). */
import { z } from 'zod';
import type { CrashKind } from '../domain/crash.js';
import {
  DEFAULT_RESTART_POLICY as DEFAULT,
  policyProblems,
  type RestartPolicy,
} from '../domain/restart-policy.js';
import type { Supervision } from '../domain/supervision.js';
import type { PreparedEngine } from './pool.js';

const LONGEST_MS = 86_400_000;
const ms = (least: number, byDefault: number, description: string) =>
  z
    .int()
    .min(least)
    .max(LONGEST_MS)
    .optional()
    .meta({ description: `${description}, ms; ${byDefault}` });
const count = (byDefault: number, description: string) =>
  z
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .meta({ description: `${description}; ${byDefault}` });

/** What a pool wants otherwise than the defaults say. */
export const restartWishes = z
  .strictObject({
    initial_ms: ms(1, DEFAULT.initial_ms, 'delay after the first crash'),
    factor: z
      .number()
      .max(100)
      .optional()
      .meta({ description: 'each further crash waits so many times longer; 2' }),
    cap_ms: ms(1, DEFAULT.cap_ms, 'longest delay'),
    jitter: z.number().optional().meta({ description: 'share of chance in a delay, 0 to 1; 0.1' }),
    min_ms: ms(0, DEFAULT.min_ms, 'least delay'),
    stable_ms: ms(1, DEFAULT.stable_ms, 'serving for so long forgives all crashes'),
    circuit_threshold: count(DEFAULT.circuit_threshold, 'crashes in a row that open the circuit'),
    circuit_open_ms: ms(1, DEFAULT.circuit_open_ms, 'how long an open circuit holds restarts'),
    circuit_open_cap_ms: ms(1, DEFAULT.circuit_open_cap_ms, 'the same at most, after tests that failed'),
    circuit_close_ms: ms(1, DEFAULT.circuit_close_ms, 'a test restart that serves for so long closes it'),
    window_ms: ms(1, DEFAULT.window_ms, 'sliding window of restarts'),
    window_restarts: count(DEFAULT.window_restarts, 'restarts in it; one more waits'),
    window_warning: count(DEFAULT.window_warning, 'restarts in it above which the log warns'),
    window_reset_ms: ms(1, DEFAULT.window_reset_ms, 'serving for so long forgives all restarts'),
    storm_restarts: count(DEFAULT.storm_restarts, 'restarts within storm_ms that open the circuit'),
    storm_ms: ms(1, DEFAULT.storm_ms, 'see storm_restarts'),
    oom_crashes: count(
      DEFAULT.oom_crashes,
      'crashes for want of memory within oom_ms that raise an alert of their own',
    ),
    oom_ms: ms(1, DEFAULT.oom_ms, 'see oom_crashes'),
  })
  .meta({ id: 'RestartPolicy', description: 'How a pool is started again after a crash' });

/** What a pool wants otherwise. */
export type RestartWishes = z.infer<typeof restartWishes>;

/** The policy with these wishes over another, and what is wrong with it: B-SUPER-029. */
export function withWishes(
  policy: RestartPolicy,
  wishes: RestartWishes,
): { policy: RestartPolicy; problems: ReturnType<typeof policyProblems> } {
  const whole = { ...policy, ...wishes };
  return { policy: whole, problems: policyProblems(whole) };
}

/** An engine that is gone though nobody had asked for it, as its node tells it. */
export interface CrashReport {
  /** Names the process for good, so that one crash is one crash however often it is told. */
  crash_id: string;
  /** Absent from a node worker that does not tell it yet. */
  pid?: number;
  pool_id: string;
  replica_id: string;
  kind: CrashKind;
  reason: string;
  /** What is shown: the reason and the end of the log. */
  last_error: string;
  exit_code: number | null;
  signal: string | null;
  uptime_seconds: number | null;
  /** What is started again. */
  prepared: PreparedEngine;
}

/** Where a pool is, and how it wants to be started again: told with each start that succeeded. */
export interface EngineReady {
  node_id: string;
  health_timeout_ms: number;
  policy: RestartPolicy;
  /** A start that the supervisor itself made is no news to it. */
  by: 'operator' | 'supervision';
}

/** A restart that is due. */
export interface DueRestart {
  prepared: PreparedEngine;
  kind: CrashKind;
  reason: string;
  last_error: string;
  at_ms: number;
  /** A circuit is open: this one is a test. */
  held: boolean;
}

/** Input of the workflow `supervisePool`: where the pool is, and after a continue-as-new what the run before knew. */
export interface SupervisePoolInput {
  pool_id: string;
  ready: EngineReady;
  carried?: CarriedSupervision;
}

/** What one run of a supervisor hands to the next; plain JSON. */
export interface CarriedSupervision {
  supervision: Supervision;
  /** False after a drain: nothing is started again until the pool is ready another time. */
  wanted: boolean;
  serving_since_ms: number;
  known_crash_id: string | null;
  last_crash: { reason: string; at_ms: number } | null;
  due: DueRestart | null;
}

const circuitView = z.object({
  state: z.enum(['closed', 'open', 'half_open']),
  failure_count: z.int().meta({ description: 'crashes in a row' }),
});

/** How a supervisor stands: the answer of its query, and of `POST /v2/pools/{id}/circuit/reset`. */
export const supervisionView = z
  .object({
    pool_id: z.string(),
    step: z
      .enum(['watch', 'backoff', 'open', 'restart', 'sleep', 'wake', 'off'])
      .meta({ description: 'what it does now; off: the pool was taken out of service' }),
    attempts: z.int().meta({ description: 'crashes in a row that it tries to mend' }),
    restart_count: z.int(),
    next_restart_at: z.string().nullable(),
    last_crash: z.object({ reason: z.string(), at: z.string() }).nullable(),
    circuits: z.object({ general: circuitView, cuda: circuitView }),
  })
  .meta({ id: 'Supervision' });

/** Supervision view's type. */
export type SupervisionView = z.infer<typeof supervisionView>;
