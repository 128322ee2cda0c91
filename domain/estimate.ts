/**
 * What a pool's past says of a task's future: when it starts, how long it decodes.
 * Measured values only; without any, the inherited 100 ms a place (B-DP-020).
 */
import { remember, type PastRun } from './on-time.js';

/** Moving averages of a pool; undefined until something was measured. */
export interface Throughput {
  /** Decoded tokens a second of one stream. */
  tokensPerSecond?: number;
  /** From dispatch to the end of a run, milliseconds. */
  serviceMs?: number;
  /** Tokens that a run gave. */
  tokensOut?: number;
  /** The last runs one by one, oldest first. */
  runs?: readonly PastRun[];
}

/** Estimate of a place in the queue without data. */
export const DEFAULT_MS_PER_PLACE = 100;

/** Weight of the newest run in the averages: about the last ten runs count. */
const NEWEST_WEIGHT = 0.2;

function blend(old: number | undefined, value: number): number {
  return old === undefined ? value : old + NEWEST_WEIGHT * (value - old);
}

/** The averages after one more finished run. */
export function measured(
  past: Throughput,
  run: { tokensOut: number; decodeMs: number; serviceMs: number; maxTokens: number },
): Throughput {
  if (run.tokensOut === 0) return past;
  return {
    tokensPerSecond: blend(past.tokensPerSecond, (run.tokensOut * 1000) / Math.max(1, run.decodeMs)),
    serviceMs: blend(past.serviceMs, run.serviceMs),
    tokensOut: blend(past.tokensOut, run.tokensOut),
    runs: remember(past.runs ?? [], run),
  };
}

/**
 * Milliseconds until a task at `position` starts: nothing when a slot is free for it, else its place's share of the
 * slots' measured pace.
 */
export function predictedStartMs(
  past: Throughput,
  queue: { position: number; slotsTotal: number; slotsFree: number },
): number {
  if (queue.position < queue.slotsFree) return 0;
  if (past.serviceMs === undefined) return queue.position * DEFAULT_MS_PER_PLACE;
  const turns = (queue.position + 1 - Math.max(0, queue.slotsFree)) / Math.max(1, queue.slotsTotal);
  return Math.round(turns * past.serviceMs);
}

/** Milliseconds that decoding `tokens` takes, or undefined when nothing was measured. */
export function decodeMs(past: Throughput, tokens: number): number | undefined {
  return past.tokensPerSecond === undefined ? undefined : (tokens * 1000) / past.tokensPerSecond;
}

/** True when the deadline cannot be met by what was measured (B-DP-051); without data only the queue can tell. */
export function isInfeasible(
  past: Throughput,
  task: { predictedStartMs: number; tokens: number; deadlineMs: number },
): boolean {
  return task.predictedStartMs + (decodeMs(past, task.tokens) ?? 0) > task.deadlineMs;
}
