/** What runs say to the metrics; the node's process owns these facts, so no other process counts them (B-OBS-016). */
import type { FullQueuePolicy } from './displacement.js';
import type { CancelReason } from '../../domain/task.js';

/** Labels of a run. */
export interface RunLabels {
  engine: string;
  engine_version: string;
  pool_id: string;
  replica_id: string;
  priority: string;
}

/** Counters and histograms that a run moves. */
export interface RunMetrics {
  started(labels: RunLabels): void;
  firstToken(labels: RunLabels, afterMs: number): void;
  completed(labels: RunLabels, run: { tokensIn: number; tokensOut: number; decodeMs: number }): void;
  evicted(engine: string, policy: FullQueuePolicy): void;
  canceled(labels: RunLabels, reason: CancelReason): void;
  /** A run whose chance was told has met its deadline, or missed it. */
  judged(poolId: string, forecast: number, inTime: boolean): void;
  queueDepth(labels: Omit<RunLabels, 'replica_id'>, depth: number): void;
}
