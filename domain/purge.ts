/** Whether a purge drains its pool, and how long the running tasks may go on. */

/** What was asked, as far as it bears on that. */
export interface PurgeWish {
  purge_engine: boolean;
  delete_cache_dirs: boolean;
  drain_first: boolean;
  drain_deadline_ms: number;
}

/**
 * The drain of a purge; null: none. Without `drain_first` nobody waits for running tasks, but an engine is never forgotten
 * while it runs, nor are its directories taken from under it: then it is stopped at once.
 */
export function drainOfPurge(wish: PurgeWish): { deadline_ms: number } | null {
  if (wish.drain_first) return { deadline_ms: wish.drain_deadline_ms };
  return wish.purge_engine || wish.delete_cache_dirs ? { deadline_ms: 0 } : null;
}
