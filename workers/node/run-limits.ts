/** The watchdog: no run holds a slot for ever, whatever its engine does and however far its deadline is (B-DP-183..186). */
import type { Run } from './run.js';
import { RunTimers } from './timers.js';

/** Share of its limit after which a run is warned of. */
const WARNING_SHARE = 0.8;

/** What the watchdog works with. */
export interface WatchdogDeps {
  now: () => number;
  /** Longest execution of a task for which neither request nor pool says another. */
  runLimitMs: number;
  /** Most of the time is over; nothing is cancelled. */
  warn: (run: Run, limitMs: number) => void;
  /** The time is over. */
  stop: (run: Run) => void;
}

/** Watches the runs that have a slot. */
export class Watchdog {
  private readonly timers: RunTimers;

  constructor(private readonly deps: WatchdogDeps) {
    this.timers = new RunTimers(deps.now);
  }

  /**
   * Begins to watch a run that was given a slot. Its time counts from the first one that it had, also at an earlier worker.
   * @param poolLimitMs - what the pool says; a request's own limit stands above it (B-DP-185)
   */
  watch(run: Run, poolLimitMs: number | undefined): void {
    const limitMs = run.offer.request.wall_ms ?? poolLimitMs ?? this.deps.runLimitMs;
    const startedAtMs = run.startedAtMs ?? this.deps.now();
    run.wallMs = limitMs;
    const stop = () => this.deps.stop(run);
    const warn = () => {
      this.deps.warn(run, limitMs);
      run.metricsDue = true;
      this.timers.set(run.taskId, startedAtMs + limitMs, stop);
    };
    this.timers.set(run.taskId, startedAtMs + limitMs * WARNING_SHARE, warn);
  }

  /** It has a slot no more. */
  forget(taskId: string): void {
    this.timers.clear(taskId);
  }

  /** The worker ends. */
  close(): void {
    this.timers.clearAll();
  }
}
