/**
 * Two nodes never write one stream (design §2.7). A node that has lost sight of Temporal stops its tasks before they may be
 * given to another; a task that begins anew elsewhere numbers its frames so that nobody takes them for those that were lost.
 */

/** A node that has had no word of Temporal for so long stops; a task goes elsewhere no sooner than twice that. */
export const FENCE_AFTER_MS = 15_000;

/** Type of the failure of a follower whose node has lost the run: its log is gone, or its disk. */
export const RUN_LOST = 'RUN_LOST';

/** More frames than any run has: 2^24, so that 255 placements fit the run log's 32 bits. */
const OFFSETS_PER_EPOCH = 16_777_216;

/** Offset of the first frame of a run that begins from its prompt in this placement (from 1). */
export function firstOffset(epoch: number): number {
  return (epoch - 1) * OFFSETS_PER_EPOCH;
}

/**
 * True for a reader that has had frames which are lost: it asks to go on behind them, and the run began anew later. Whoever
 * has had only the frame `started` has missed nothing.
 */
export function hasReadLostFrames(from: number, runsFirstOffset: number): boolean {
  return from > 1 && from < runsFirstOffset;
}
