/**
 * A pool's states; the pool's workflow moves them, the node keeps and shows them (pool-lifecycle 0):
 *
 * ```
 * uninitialized ─> provisioning ─> starting ─> ready ─> draining ─> offline
 *                        │             │         │ ╲
 *                        └──> failed <─┴─────────┘  reloading;  crash: backoff ─> starting
 * ```
 *
 * `asleep` is a pool on demand without an engine: a task that waits for it has it started.
 */

/** Every state of a pool. */
export const POOL_STATES = [
  'uninitialized',
  'provisioning',
  'starting',
  'ready',
  'draining',
  'offline',
  'backoff',
  'failed',
  'reloading',
  'asleep',
] as const;

/** State of a pool. */
export type PoolState = (typeof POOL_STATES)[number];

/** The engine's process answers: ready, or still ending its work. */
export function isLive(state: PoolState): boolean {
  return state === 'ready' || state === 'draining' || state === 'reloading';
}

/** The pool may get work (B-POOL-004, B-POOL-005). */
export function isReady(state: PoolState): boolean {
  return state === 'ready';
}

/** The pool is on its way to ready, so that a task may wait for it (B-DP-112). */
export function mayBecomeReady(state: PoolState): boolean {
  return (
    state === 'ready' ||
    state === 'provisioning' ||
    state === 'starting' ||
    state === 'backoff' ||
    state === 'reloading'
  );
}

/** Tasks may wait for the pool: it is on its way, or is woken by them. */
export function takesTasks(state: PoolState): boolean {
  return mayBecomeReady(state) || state === 'asleep';
}

/** Nothing runs, and nothing is about to: what is known of the pool may go (B-CP-041). */
export function mayBeForgotten(state: PoolState): boolean {
  return !isLive(state) && !mayBecomeReady(state);
}

/** Nothing runs and nobody is at work on the pool: its supervisor may start it again (B-POOL-007, B-POOL-008). */
export function mayBeRestarted(state: PoolState): boolean {
  return state === 'failed' || state === 'backoff' || state === 'uninitialized';
}
