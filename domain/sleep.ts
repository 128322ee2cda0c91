/**
 * Which pools sleep, and when: a pool on demand has no engine until a task asks for it, and loses it again when nobody has for
 * a while, or when another needs its room. One that is busy keeps it.
 */

/** How long the engine of a pool on demand waits for another task, where its launch says nothing (C-160). */
export const ON_DEMAND_TTL_MS = 300_000;

/** What a launch says of sleep. */
export interface SleepWishes {
  on_demand?: boolean | undefined;
  idle_ttl_ms?: number | undefined;
}

/** Idle for so long the pool goes to sleep; null: never by itself. */
export function idleTtlMs({ on_demand = false, idle_ttl_ms }: SleepWishes): number | null {
  const ttlMs = idle_ttl_ms ?? (on_demand ? ON_DEMAND_TTL_MS : 0);
  return ttlMs === 0 ? null : ttlMs;
}

/** True where a task wakes the pool, so that its engine may go; any other is an operator's to stop and to start. */
export function maySleep(wishes: SleepWishes): boolean {
  return wishes.on_demand === true || idleTtlMs(wishes) !== null;
}

/** A pool whose engine is loaded. */
export interface LoadedPool {
  poolId: string;
  wishes: SleepWishes;
  /** Tasks that hold a slot, and tasks that wait for one. */
  tasks: number;
  /** When it last had a task, or came to serve. */
  usedAtMs: number;
}

/** When the pool goes to sleep if no task comes before; null: not by itself, or not while it has tasks. */
export function sleepsAtMs({ wishes, tasks, usedAtMs }: LoadedPool): number | null {
  const ttlMs = idleTtlMs(wishes);
  return ttlMs === null || tasks > 0 ? null : usedAtMs + ttlMs;
}

/** The pool that makes room for another: of those that may sleep and have nothing to do, the one used least recently. */
export function leastRecentlyUsed(loaded: readonly LoadedPool[]): LoadedPool | undefined {
  const idle = loaded.filter(({ wishes, tasks }) => tasks === 0 && maySleep(wishes));
  return idle.toSorted((a, b) => a.usedAtMs - b.usedAtMs || (a.poolId < b.poolId ? -1 : 1))[0];
}

/** What is known of a load that tasks wait for. */
export interface LoadFacts {
  /** Since the engine was started. */
  elapsedMs: number;
  /** What the last load took; null: there was none. */
  lastMs: number | null;
}

/** How far a load is by what the last one took: never done before it is. */
export function loadProgress({ elapsedMs, lastMs }: LoadFacts): { pct: number | null; etaMs: number | null } {
  if (lastMs === null) return { pct: null, etaMs: null };
  const pct = Math.min(99, Math.floor((100 * elapsedMs) / Math.max(1, lastMs)));
  return { pct, etaMs: Math.max(0, lastMs - elapsedMs) };
}
