/** How `inferTask` reaches a run: local calls to its node while it is short, a heartbeating one on the node when it is long. */
import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { NodeActivities } from '../../activities/index.js';
import type { TaskActivities, TranscriptOrder } from '../../activities/task-activities.js';
import type {
  Destination,
  FollowRunInput,
  InferTaskInput,
  MovedTask,
  MoveTaskInput,
  RunView,
} from '../../contracts/node.js';
import { nodeRunsQueue } from '../../domain/identity.js';

/** On a token's way: waits at most 1.4 s at the node (design §2.5), and gives the node two tries before the long way. */
const { attachRun: attach } = proxyLocalActivities<TaskActivities>({
  startToCloseTimeout: '3s',
  scheduleToCloseTimeout: '6s',
  retry: { initialInterval: '100ms', maximumInterval: '1s', maximumAttempts: 3 },
});

/** A cancel must arrive: tried for as long as a node may be silent before it counts as offline, 30 s. */
const { cancelRun: cancel } = proxyLocalActivities<TaskActivities>({
  startToCloseTimeout: '8s',
  scheduleToCloseTimeout: '30s',
  retry: { initialInterval: '200ms', maximumInterval: '2s' },
});

/** Another node may need a moment to have room for it: readers wait as long as for a node that restarts. */
const { moveTask: move } = proxyLocalActivities<TaskActivities>({
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '30s',
  retry: { initialInterval: '500ms', maximumInterval: '2s' },
});

/** The task waits on meanwhile: where nobody can say, it stays where it is. */
const { findPlace: find } = proxyLocalActivities<TaskActivities>({
  startToCloseTimeout: '5s',
  scheduleToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '1s', maximumAttempts: 3 },
});

/**
 * After everything that a client waits for: an hour's absence of database or node costs a try each five minutes, and after
 * a day the node has forgotten the run.
 */
const { keepTranscript: keep } = proxyLocalActivities<TaskActivities>({
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '500ms', maximumInterval: '5m' },
  // A longer pause is a timer's, not the workflow task's.
  localRetryThreshold: '1s',
});

/** A node that does not poll for this long is offline (design §7). */
const NODE_SILENCE_LIMIT = '30s';
/** The run ends by its own deadline; this bound is for a node that forgets to say so. */
const BEYOND_DEADLINE_MS = 60_000;

/** Confirms the run and follows it for a moment. */
export function attachRun(input: InferTaskInput): Promise<RunView> {
  return attach(input);
}

/** Ends the run at its node. */
export function cancelRun({ node_id, task_id }: InferTaskInput): Promise<RunView> {
  return cancel({ node_id, task_id });
}

/** Where the task could wait instead; null where it stays. */
export function findPlace(input: InferTaskInput): Promise<Destination | null> {
  return find(input);
}

/** Gives the task to another pool, on this node or another. */
export function moveTask(input: MoveTaskInput): Promise<MovedTask> {
  return move(input);
}

/** Stores the transcript of an ended run. */
export function keepTranscript(order: TranscriptOrder): Promise<string | null> {
  return keep(order);
}

/** Follows the run on its node until it ends. A cancel is complete when the slot is free. */
export function followOn(input: FollowRunInput): Promise<RunView> {
  const { followRun } = proxyActivities<NodeActivities>({
    taskQueue: nodeRunsQueue(input.node_id),
    summary: `follow the run on ${input.node_id}`,
    scheduleToStartTimeout: NODE_SILENCE_LIMIT,
    startToCloseTimeout: input.request.deadline_ms + BEYOND_DEADLINE_MS,
    heartbeatTimeout: '10s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '500ms', maximumInterval: '5s' },
  });
  return followRun(input);
}
