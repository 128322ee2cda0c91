/**
 * Engines as the contract of nodes and workers sees them: a _worker_ there is one engine with its model, here a replica of a
 * pool (nodes-and-workers 6). Its state is read off the pool and its slots; nobody sets it.
 *
 * ```
 * loading ──> idle <──> busy ──> draining ──> gone
 *    │          ╲        ╱   unhealthy, stale: back to idle or busy, or gone
 *    └──> error, crashed ──> gone
 * ```
 */
import type { CircuitState } from './circuit.js';
import type { PoolState } from './pool.js';

/** Every state of a worker. */
export const WORKER_STATES = [
  'loading',
  'idle',
  'busy',
  'draining',
  'error',
  'unhealthy',
  'crashed',
  'stale',
  'zombie',
] as const;

/** State of a worker. */
export type WorkerState = (typeof WORKER_STATES)[number];

/** Steps that a worker may take; from a state without any it goes. */
const STEPS: Readonly<Record<WorkerState, readonly WorkerState[]>> = {
  loading: ['idle', 'error', 'crashed', 'draining'],
  idle: ['busy', 'draining', 'unhealthy', 'crashed', 'stale'],
  busy: ['idle', 'draining', 'unhealthy', 'crashed', 'stale'],
  unhealthy: ['idle', 'busy', 'crashed'],
  stale: ['idle', 'busy'],
  draining: [],
  error: [],
  crashed: [],
  zombie: [],
};

/** What a node sees of an engine. */
export interface WorkerFacts {
  pool: PoolState;
  /** Its process is gone, and nobody had asked it to go. */
  crashed: boolean;
  /** Something still answers in the place of the process that is gone: a child of it, say. */
  outlived: boolean;
  /** Tasks that hold a slot of it. */
  leases: number;
  circuit: CircuitState;
  /** Health polls that it has missed in a row. */
  missedPolls: number;
}

/** The state of the worker that these facts are of; undefined where there is none (any more). */
export function workerState(facts: WorkerFacts): WorkerState | undefined {
  const { pool, crashed, outlived, leases, circuit, missedPolls } = facts;
  switch (pool) {
    case 'uninitialized':
    case 'offline':
    case 'asleep':
      return undefined;
    case 'provisioning':
    case 'starting':
      return 'loading';
    case 'failed':
    case 'backoff':
      if (!crashed) return 'error';
      return outlived ? 'zombie' : 'crashed';
    case 'draining':
      return 'draining';
    case 'ready':
    case 'reloading':
      if (circuit !== 'closed' || missedPolls > 0) return 'unhealthy';
      return leases > 0 ? 'busy' : 'idle';
  }
}

/** The state of this name; `ready` is another word for `idle` (C-156). Undefined where there is none. */
export function workerStateNamed(name: string): WorkerState | undefined {
  return name === 'ready' ? 'idle' : WORKER_STATES.find((state) => state === name);
}

/** States that a worker may go to from here (B-WST-006). */
export function stepsFrom(state: WorkerState): readonly WorkerState[] {
  return STEPS[state];
}
