/** Whether a node's runs may go on (design §2.7): what holds them, lets them go on, and stops them for good. */
import { DroverError } from '../../contracts/errors.js';
import type { FencedRun } from '../../contracts/node.js';
import type { RunReports } from './run-reports.js';
import type { Run } from './run.js';
import type { Scheduler } from './scheduler.js';

/** What the fence works with; the runs are their register's. */
export interface FenceDeps {
  /** False once this node's tasks may be given to others: out of touch with Temporal. */
  inTouch: () => boolean;
  isEnding: () => boolean;
  now: () => number;
  reports: RunReports;
  schedulerOf: (run: Run) => Scheduler;
  /** Resolves when the task's engine call is over. */
  over: (taskId: string) => Promise<void>;
  disarm: (taskId: string) => void;
  /** Puts a run into its queue that was in it before. */
  queueAgain: (run: Run) => void;
}

/** Advice of a refusal that time mends. */
const RETRY = { retry_after_ms: 1000 };

/** The fence of one node. */
export class Fence {
  constructor(private readonly deps: FenceDeps) {}

  /** Nothing of it goes on or is shown, until its workflow says that it is still this node's. */
  hold(run: Run): void {
    if (run.held) return;
    const { disarm, schedulerOf, reports } = this.deps;
    run.hold();
    disarm(run.taskId);
    if (schedulerOf(run).remove(run.taskId)) reports.queue(run.offer.pool_id);
    run.abort.abort(new DroverError('WORKER_RESET', 'the node is out of touch with Temporal'));
    reports.held(run);
  }

  /**
   * The workflow follows the run here in this epoch: it goes on, before all others where it had begun.
   * @throws DroverError TASK_NOT_FOUND for one that is another node's by now
   */
  async takeUp(run: Run, epoch: number): Promise<void> {
    if (run.fencedBy !== null && run.fencedBy >= epoch) throw movedAway();
    if (!run.held) return;
    await this.deps.over(run.taskId);
    this.letGoOn(run);
  }

  /**
   * From this epoch on the task is elsewhere; where it has ended here, that is its end. One that is here in this epoch already
   * goes on.
   */
  async stopForGood(run: Run, epoch: number): Promise<FencedRun> {
    const { over, now, reports } = this.deps;
    const isHereAlready = run.fencedBy === null && reports.view(run).epoch >= epoch;
    if (isHereAlready) return { run: reports.view(run), frames: run.framesFrom(0) };
    if (!run.ended && run.fencedBy === null) {
      this.hold(run);
      await over(run.taskId);
    }
    if (!run.ended && (run.fencedBy ?? 0) < epoch) {
      run.record({ kind: 'fenced', epoch, at_ms: now() });
      reports.fenced(run);
    }
    return { run: reports.view(run), frames: run.framesFrom(0) };
  }

  /** @throws DroverError TASK_NOT_FOUND for a run that went elsewhere; POOL_UNAVAILABLE while nobody knows */
  requireOurs(run: Run): void {
    if (run.fencedBy !== null) throw movedAway();
    if (run.held) throw new DroverError('POOL_UNAVAILABLE', 'the node waits to hear of its tasks', RETRY);
  }

  private letGoOn(run: Run): void {
    const { isEnding, inTouch, queueAgain, schedulerOf, reports } = this.deps;
    // Two followers may have waited for the same end.
    if (!run.held || isEnding() || !inTouch()) return;
    if (run.ended) {
      run.held = false;
      return;
    }
    run.takeUp();
    queueAgain(run);
    reports.takenUp(run);
    schedulerOf(run).pump();
  }
}

function movedAway(): DroverError {
  return new DroverError('TASK_NOT_FOUND', 'the task went to another node');
}
