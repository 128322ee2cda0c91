/** When a process of the stack has ended unasked: start it again after a pause, or give up. Pure. */

/** More ends than this in {@link WINDOW_MS}, and starting again is no cure. */
export const MOST_RESTARTS = 5;
/** Ends further back no longer count: a crash an hour is worth a restart every time. */
export const WINDOW_MS = 60_000;
/** The first restart comes almost at once, since clients wait; each further one doubles it. */
export const FIRST_PAUSE_MS = 250;
/** Longest pause, well inside the window. */
const LONGEST_PAUSE_MS = 5_000;

/** What to do about an end, and the ends to remember. */
export type RestartDecision =
  { restart: true; afterMs: number; ends: number[] } | { restart: false; ends: number[] };

/**
 * Decides about an end.
 * @param earlierEnds - times of earlier ends, as the last decision returned them
 * @param nowMs - time of this end
 */
export function decideRestart(earlierEnds: readonly number[], nowMs: number): RestartDecision {
  const ends = [...earlierEnds.filter((end) => nowMs - end < WINDOW_MS), nowMs];
  if (ends.length > MOST_RESTARTS) return { restart: false, ends };
  const afterMs = Math.min(FIRST_PAUSE_MS * 2 ** (ends.length - 1), LONGEST_PAUSE_MS);
  return { restart: true, afterMs, ends };
}
