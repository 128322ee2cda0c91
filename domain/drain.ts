/** Whether a pool may be drained: a pool on its way up belongs to the operation that brings it up. */
import type { PoolState } from './pool.js';

/** Why a pool in this state cannot be drained now; null when it can. A pool that is off already ends as what it is. */
export function drainRefusal(state: PoolState): string | null {
  if (state === 'starting' || state === 'provisioning')
    return `the pool is ${state}; cancel its preload first`;
  return state === 'reloading' ? 'the pool is reloading; wait for it, or cancel it first' : null;
}

/** When a drain stops waiting: the earliest of the deadlines that were asked for wins (B-CP-026). */
export function earlierDeadline(deadlineAtMs: number, nowMs: number, deadlineMs: number): number {
  return Math.min(deadlineAtMs, nowMs + deadlineMs);
}
