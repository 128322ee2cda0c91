/** Whether a pool may be drained, and what becomes of the tasks that wait in it. */
import type { PoolState } from './pool.js';

/** Type of the failure of a follower whose run waits, never begun, in a pool that was taken out of service. */
export const POOL_DRAINED = 'POOL_DRAINED';

/**
 * Why a pool in this state cannot be drained now; null when it can: a pool on its way up belongs to the operation that brings
 * it up. A pool that is off already ends as what it is.
 */
export function drainRefusal(state: PoolState): string | null {
  if (state === 'starting' || state === 'provisioning')
    return `the pool is ${state}; cancel its preload first`;
  return state === 'reloading' ? 'the pool is reloading; wait for it, or cancel it first' : null;
}

/** When a drain stops waiting: the earliest of the deadlines that were asked for wins (B-CP-026). */
export function earlierDeadline(deadlineAtMs: number, nowMs: number, deadlineMs: number): number {
  return Math.min(deadlineAtMs, nowMs + deadlineMs);
}

/**
 * True where what waits in a pool of this state should wait in another (B-DRAIN-015): nobody is about to bring its engine
 * back. A pool that was drained quickly is off by the time that somebody looks.
 */
export function sendsAway(state: PoolState): boolean {
  return state === 'draining' || state === 'offline';
}
