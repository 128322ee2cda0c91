/**
 * The policies `drop-lru` and `shed-low-priority` (data-plane 1.2): a full queue takes a newcomer and drops a task that waits:
 * the oldest, batch before interactive, or the oldest batch task for an interactive one alone. The newcomer is offered beyond the queue's bound and displaces somebody only once it is confirmed, so that an offer which
 * comes to nothing has cost nobody a place (design §2.2).
 */
import type { PriorityClass } from '../../domain/admission.js';
import type { Scheduler } from './scheduler.js';

/** What a full queue does with one more task. */
export type FullQueuePolicy = 'reject' | 'drop-lru' | 'shed-low-priority';

/** Who makes room for whom, in all pools of a node. */
export class Displacement {
  /** Offered beyond the bound of their queues, and not confirmed yet. */
  private readonly newcomers = new Set<string>();

  constructor(
    readonly policy: FullQueuePolicy,
    /** Only a task that was accepted has a place to lose. */
    private readonly isAccepted: (taskId: string) => boolean,
  ) {}

  /** The task that would go for a newcomer of this class into a full queue; undefined when none may. */
  victimFor(scheduler: Scheduler, priority: PriorityClass): string | undefined {
    if (this.policy === 'reject') return undefined;
    // Those before it in the row have been promised to newcomers that are still to be confirmed.
    return this.droppable(scheduler, priority)[scheduler.excess];
  }

  /** This task was offered on the promise of somebody's place. */
  promise(taskId: string): void {
    this.newcomers.add(taskId);
  }

  /** The task is confirmed: who goes for it now, if its queue is still too long. */
  redeem(scheduler: Scheduler, taskId: string, priority: PriorityClass): string | undefined {
    const isPromised = this.newcomers.delete(taskId);
    if (!isPromised || scheduler.excess === 0) return undefined;
    return this.droppable(scheduler, priority).find((waiting) => waiting !== taskId);
  }

  /** The offer came to nothing. */
  forget(taskId: string): void {
    this.newcomers.delete(taskId);
  }

  private droppable(scheduler: Scheduler, priority: PriorityClass): string[] {
    return this.candidates(scheduler, priority).filter(this.isAccepted);
  }

  private candidates(scheduler: Scheduler, priority: PriorityClass): string[] {
    if (this.policy === 'drop-lru') return scheduler.droppable(priority);
    // Only batch tasks go, and only for interactive ones (B-DP-071).
    return priority === 'batch' ? [] : scheduler.droppable('batch');
  }
}
