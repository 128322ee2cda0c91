/**
 * A pool's queue on one node: two classes, one bound, strict order of arrival inside a class (data-plane 1.2).
 * Plain values and functions; the scheduler of the node worker holds the one state.
 */

/** Priority classes, in the order they are dispatched. */
export type PriorityClass = 'interactive' | 'batch';

/** Waiting task ids of both classes; capacity counts both together (B-DP-060). */
export interface Queue {
  readonly capacity: number;
  readonly interactive: readonly string[];
  readonly batch: readonly string[];
}

/** A queue without tasks. */
export function emptyQueue(capacity: number): Queue {
  return { capacity, interactive: [], batch: [] };
}

/** Waiting tasks of one class, or of both. */
export function depth(queue: Queue, priority?: PriorityClass): number {
  return priority === undefined ? queue.interactive.length + queue.batch.length : queue[priority].length;
}

/** True when another task fits; `freeSlots` take the first waiting tasks at once, so they are room too. */
export function hasRoom(queue: Queue, freeSlots: number): boolean {
  return depth(queue) < queue.capacity + Math.max(0, freeSlots);
}

/** The queue with the task at the end of its class. */
export function enqueue(queue: Queue, taskId: string, priority: PriorityClass): Queue {
  return { ...queue, [priority]: [...queue[priority], taskId] };
}

/** The queue with the task before all others of its class: it had a slot already. */
export function enqueueFirst(queue: Queue, taskId: string, priority: PriorityClass): Queue {
  return { ...queue, [priority]: [taskId, ...queue[priority]] };
}

/** The queue without the task; the same queue when it does not wait. */
export function remove(queue: Queue, taskId: string): Queue {
  if (position(queue, taskId) === null) return queue;
  const without = (ids: readonly string[]) => ids.filter((id) => id !== taskId);
  return { ...queue, interactive: without(queue.interactive), batch: without(queue.batch) };
}

/** The task that is dispatched next: interactive before batch. */
export function first(queue: Queue): string | undefined {
  return queue.interactive[0] ?? queue.batch[0];
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
  const interactive = queue.interactive.indexOf(taskId);
  if (interactive >= 0) return interactive;
  const batch = queue.batch.indexOf(taskId);
  return batch >= 0 ? queue.interactive.length + batch : null;
}
