/** Restarts in a window that slides: old ones drop out of it one by one (pool-lifecycle 8.4). */

/** How many of these times lie in the window that ends now. */
export function countWithin(timesMs: readonly number[], windowMs: number, nowMs: number): number {
  return timesMs.filter((atMs) => atMs > nowMs - windowMs).length;
}

/** When there is room in the window for one more, `limit` in all; now, where there is room (B-SUPER-033). */
export function roomAtMs(
  timesMs: readonly number[],
  { limit, windowMs }: { limit: number; windowMs: number },
  nowMs: number,
): number {
  const inWindow = timesMs.filter((atMs) => atMs > nowMs - windowMs).sort((a, b) => a - b);
  const blocking = inWindow[inWindow.length - limit];
  return blocking === undefined ? nowMs : blocking + windowMs;
}

/** The times with one more, without those that no window reaches any more. */
export function withOneMore(timesMs: readonly number[], longestWindowMs: number, nowMs: number): number[] {
  return [...timesMs.filter((atMs) => atMs > nowMs - longestWindowMs), nowMs];
}
