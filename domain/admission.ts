/**
 * A pool's queue on one node: two classes, one bound, strict order of arrival inside a class (data-plane 1.2).
 * The scheduler of the node worker holds the one state.
 */

/** Priority classes, in the order they are dispatched. */
export type PriorityClass = 'interactive' | 'batch';

/**
 * Waiting task ids of both classes, each in order of arrival; capacity counts both together (B-DP-060). Whoever makes one owns
 * it, and changes it by the functions here: a task comes, goes and is next in constant time, however many wait (B-DP-064).
 */
export interface Queue {
  readonly capacity: number;
  interactive: Set<string>;
  batch: Set<string>;
}

/** A queue without tasks. */
export function emptyQueue(capacity: number): Queue {
  return { capacity, interactive: new Set(), batch: new Set() };
}

/** Waiting tasks of one class, or of both. */
export function depth(queue: Queue, priority?: PriorityClass): number {
  return priority === undefined ? queue.interactive.size + queue.batch.size : queue[priority].size;
}

/** True when another task fits; `freeSlots` take the first waiting tasks at once, so they are room too. */
export function hasRoom(queue: Queue, freeSlots: number): boolean {
  return depth(queue) < queue.capacity + Math.max(0, freeSlots);
}

/** Puts the task at the end of its class. @returns how many are dispatched before it */
export function enqueue(queue: Queue, taskId: string, priority: PriorityClass): number {
  queue[priority].add(taskId);
  return (priority === 'interactive' ? queue.interactive.size : depth(queue)) - 1;
}

/** Puts the task before all others of its class: it had a slot already. As rare as the end of an engine. */
export function enqueueFirst(queue: Queue, taskId: string, priority: PriorityClass): void {
  queue[priority] = new Set([taskId, ...queue[priority]]);
}

/** Takes the task out; false when it does not wait. */
export function remove(queue: Queue, taskId: string): boolean {
  return queue.interactive.delete(taskId) || queue.batch.delete(taskId);
}

/** The task that is dispatched next: interactive before batch. */
export function first({ interactive, batch }: Queue): string | undefined {
  const [next] = interactive.size > 0 ? interactive : batch;
  return next;
}

/** Waiting tasks, in the order of dispatch. */
export function waiting({ interactive, batch }: Queue): string[] {
  return [...interactive, ...batch];
}

/**
 * Waiting tasks that may be dropped for a newcomer of this class, the first to go first: batch tasks by age, then
 * interactive ones, which a batch task never displaces (C-063).
 */
export function droppable(queue: Queue, newcomer: PriorityClass): string[] {
  return newcomer === 'batch' ? [...queue.batch] : [...queue.batch, ...queue.interactive];
}

/** Waiting tasks beyond the queue's bound. */
export function excess(queue: Queue, freeSlots: number): number {
  return Math.max(0, depth(queue) - queue.capacity - Math.max(0, freeSlots));
}

/** How many tasks would be dispatched before this one, or null when it does not wait (C-065). */
export function position(queue: Queue, taskId: string): number | null {
  if (!queue.interactive.has(taskId) && !queue.batch.has(taskId)) return null;
  return waiting(queue).indexOf(taskId);
}
