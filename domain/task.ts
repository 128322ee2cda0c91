/**
 * A task's states and who moves them:
 *
 * ```
 *             node                node               node
 *  queued ───────────> dispatched ──────> executing ──────> completed
 *    │                     │                  │
 *    │  client: cancel_requested ─────────────┴──> cancelled
 *    ├── node: expired (deadline in queue)         failed (engine, watchdog)
 *    └── node: dropped (evicted)      rejected (never queued)
 * ```
 *
 * Terminal states never change (data-plane 11).
 */

/** States of a task, as the wire, the history and the search attribute `TaskState` spell them. */
export type TaskState =
  | 'queued'
  | 'dispatched'
  | 'executing'
  | 'cancel_requested'
  | 'completed'
  | 'cancelled'
  | 'failed'
  | 'dropped'
  | 'expired'
  | 'rejected';

/** Why tokens stopped coming; `end.stop_reason` on the wire. */
export type StopReason = 'MAX_TOKENS' | 'EOS' | 'STOP_SEQUENCE' | 'CANCELLED' | 'ERROR';

/** Who asked for the end of a task; the label `reason` of `tasks_canceled_total`. */
export type CancelReason = 'client' | 'disconnect' | 'deadline' | 'watchdog' | 'admin';

/** Every state, in the order of a task's life. */
export const TASK_STATES = [
  'queued',
  'dispatched',
  'executing',
  'cancel_requested',
  'completed',
  'cancelled',
  'failed',
  'dropped',
  'expired',
  'rejected',
] as const satisfies readonly TaskState[];

const NEXT: Record<TaskState, readonly TaskState[]> = {
  queued: ['dispatched', 'cancel_requested', 'cancelled', 'dropped', 'expired', 'failed', 'rejected'],
  dispatched: ['executing', 'cancel_requested', 'cancelled', 'failed', 'rejected', 'queued'],
  executing: ['completed', 'cancel_requested', 'failed', 'cancelled', 'rejected', 'queued'],
  cancel_requested: ['cancelled'],
  completed: [],
  cancelled: [],
  failed: [],
  dropped: [],
  expired: [],
  rejected: [],
};

/** True when nothing can happen to a task in this state any more. */
export function isTerminal(state: TaskState): boolean {
  return NEXT[state].length === 0;
}

/** True when a task may go from `from` to `to`; a terminal state goes nowhere. */
export function mayMove(from: TaskState, to: TaskState): boolean {
  return NEXT[from].includes(to);
}
