/**
 * One pool's slots and queue on this node, held by a single writer: every method runs to its end in one turn of the
 * event loop and tells the outside what to do through {@link SchedulerEffects}. Decisions are `domain/admission.ts`'s.
 */
import * as admission from '../../domain/admission.js';
import type { PriorityClass, Queue } from '../../domain/admission.js';

/** What the scheduler asks of its owner. */
export interface SchedulerEffects {
  /** Run this task on this replica; the slot is the task's until {@link Scheduler.release}. */
  dispatch(taskId: string, replicaId: string): void;
}

/** Slots of one replica. */
interface Slots {
  total: number;
  /** Tasks that it may hold at once, however many slots it has. */
  limit: number;
  leases: Set<string>;
}

/** Scheduler of one pool. */
export class Scheduler {
  private readonly queue: Queue;
  private readonly replicas = new Map<string, Slots>();
  private paused = false;
  /** Waiting tasks that held a slot when their engine or an earlier worker died. */
  private readonly begun = new Set<string>();

  constructor(
    capacity: number,
    private readonly effects: SchedulerEffects,
  ) {
    this.queue = admission.emptyQueue(capacity);
  }

  /** Opens, changes or (with 0) closes a replica's slots; running tasks keep theirs. */
  setSlots(replicaId: string, total: number): void {
    const slots = this.replicas.get(replicaId) ?? { total, limit: Infinity, leases: new Set<string>() };
    slots.total = total;
    this.replicas.set(replicaId, slots);
  }

  /** Lets a replica hold no more tasks than this at once; running tasks keep theirs. */
  limit(replicaId: string, limit: number): void {
    const slots = this.replicas.get(replicaId);
    if (slots !== undefined) slots.limit = limit;
  }

  /** A replica goes on under another name: its tasks keep their slots, and it takes no more. */
  retire(replicaId: string, name: string): void {
    const leases = this.replicas.get(replicaId)?.leases ?? new Set<string>();
    this.replicas.set(name, { total: 0, limit: 0, leases });
    this.replicas.delete(replicaId);
  }

  /** Forgets a replica that no task holds. */
  forget(replicaId: string): void {
    if (this.replicas.get(replicaId)?.leases.size === 0) this.replicas.delete(replicaId);
  }

  /**
   * Puts a task at the end of its class. Call {@link pump} once the task is on record.
   * @param beyondCapacity - a task that was accepted before is never refused again
   * @returns its position, or null when the queue is full
   */
  enqueue(taskId: string, priority: PriorityClass, beyondCapacity = false): number | null {
    if (!beyondCapacity && !this.hasRoom) return null;
    return admission.enqueue(this.queue, taskId, priority);
  }

  /** A task that had a slot waits for another one, before all others of its class: its engine is gone. */
  putBack(taskId: string, priority: PriorityClass): void {
    admission.enqueueFirst(this.queue, taskId, priority);
    this.goOn(taskId);
  }

  /**
   * Keeps waiting tasks where they are, or lets them go on. A task that had begun is no new work: it gets its slot back
   * in a paused pool too.
   */
  pause(paused: boolean): void {
    this.paused = paused;
  }

  /** This waiting task had a slot when its engine or an earlier worker died. */
  goOn(taskId: string): void {
    this.begun.add(taskId);
  }

  /** Gives free slots to the first waiting tasks. @returns how many tasks hold a slot then */
  pump(): number {
    for (;;) {
      const taskId = this.next();
      const replica = this.freest();
      if (taskId === undefined || replica === undefined) return this.activeLeases;
      this.remove(taskId);
      replica[1].leases.add(taskId);
      this.effects.dispatch(taskId, replica[0]);
    }
  }

  /** True when the next task would get a slot at once. */
  get hasSlot(): boolean {
    return !this.paused && this.depth() < this.slotsFree;
  }

  /** False when {@link enqueue} would refuse now. */
  get hasRoom(): boolean {
    return admission.hasRoom(this.queue, this.slotsFree);
  }

  /** Waiting tasks beyond the queue's bound. */
  get excess(): number {
    return admission.excess(this.queue, this.slotsFree);
  }

  /** Waiting tasks that may be dropped for a newcomer of this class, the first to go first. */
  droppable(newcomer: PriorityClass): string[] {
    return admission.droppable(this.queue, newcomer);
  }

  /** Takes a waiting task out; false when it does not wait. */
  remove(taskId: string): boolean {
    this.begun.delete(taskId);
    return admission.remove(this.queue, taskId);
  }

  /** Frees the task's slot, exactly once, and gives it to the next. @returns how many tasks hold a slot then */
  release(taskId: string): number {
    for (const slots of this.replicas.values()) slots.leases.delete(taskId);
    return this.pump();
  }

  /** Tasks that would be dispatched before this one; null when it does not wait. */
  position(taskId: string): number | null {
    return admission.position(this.queue, taskId);
  }

  /** Waiting tasks, of one class or of both. */
  depth(priority?: PriorityClass): number {
    return admission.depth(this.queue, priority);
  }

  /** Waiting task ids, in the order of dispatch. */
  waiting(): string[] {
    return admission.waiting(this.queue);
  }

  /** Tasks that hold a slot of this replica. */
  leasesOf(replicaId: string): string[] {
    return [...(this.replicas.get(replicaId)?.leases ?? [])];
  }

  /** Tasks that hold a slot. */
  get leases(): string[] {
    return [...this.replicas.values()].flatMap((slots) => [...slots.leases]);
  }

  /** Leases of all replicas. */
  get activeLeases(): number {
    return this.leases.length;
  }

  /** Slots of all replicas. */
  get slotsTotal(): number {
    return [...this.replicas.values()].reduce((sum, slots) => sum + slots.total, 0);
  }

  /** Slots without a lease; never below zero (C-027). */
  get slotsFree(): number {
    return [...this.replicas.values()].reduce((sum, slots) => sum + Math.max(0, roomOf(slots)), 0);
  }

  private next(): string | undefined {
    if (!this.paused) return admission.first(this.queue);
    return this.waiting().find((taskId) => this.begun.has(taskId));
  }

  /** The replica with the most free slots, the first name among equals. */
  private freest(): [string, Slots] | undefined {
    const free = [...this.replicas].filter(([, slots]) => roomOf(slots) > 0);
    return free.sort(([a, ofA], [b, ofB]) => roomOf(ofB) - roomOf(ofA) || (a < b ? -1 : 1))[0];
  }
}

function roomOf({ total, limit, leases }: Slots): number {
  return Math.min(total, limit) - leases.size;
}
