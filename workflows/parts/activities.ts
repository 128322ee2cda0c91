/** A node's activities by timeout policy. They run only on the node that owns the GPU (B-PDUR-004). */
import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { NodeActivities } from '../../activities/index.js';
import { nodeModelsQueue, nodeQueue, nodeRunsQueue } from '../../domain/identity.js';

/** A node that takes no step for this long is offline (design §7): fail with that reason, do not queue for ever. */
const NODE_SILENCE_LIMIT = '30s';

/**
 * Seconds at most: `nvidia-smi` is given 10 s. Three tries with a pause, since memory and ports of an engine that has
 * just ended come back within seconds. A cancel waits for the answer: what was written must be known to be undone.
 */
const QUICK = {
  startToCloseTimeout: '20s',
  scheduleToStartTimeout: NODE_SILENCE_LIMIT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumAttempts: 3 },
} satisfies ActivityOptions;

/**
 * One health poll of at most 2 s, again every 500 ms as long as the preload allows. The tries are no events of the
 * history. A cancel does not wait for a poll: it holds nothing.
 */
const POLL = {
  startToCloseTimeout: '10s',
  scheduleToStartTimeout: NODE_SILENCE_LIMIT,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '500ms', backoffCoefficient: 1, maximumInterval: '500ms' },
} satisfies ActivityOptions;

/** Minutes at most, with a heartbeat: the first token of a cold engine may need them. */
const SUPERVISED = {
  startToCloseTimeout: '3m',
  heartbeatTimeout: '10s',
  scheduleToStartTimeout: NODE_SILENCE_LIMIT,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '1s', maximumAttempts: 3 },
} satisfies ActivityOptions;

/**
 * As long as the workflow lets it: a drain's deadline is the bound. A node that is away is waited for, since its engine
 * goes on and its drain too when it comes back.
 */
const ENDLESS = {
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '500ms', maximumInterval: '5s' },
} satisfies ActivityOptions;

/**
 * As long as the engine serves. Where its node worker dies with it, nobody hears of the crash before this heartbeat is
 * missed, so it is short; one that is missed because a node stood still costs a further try and no event.
 */
const WATCHING = { ...ENDLESS, heartbeatTimeout: '4s' } satisfies ActivityOptions;

/**
 * A file of a model, one attempt: hours for a large one, and a node that is away is waited for, since what it has of the file
 * is kept. A worker that dies is missed after five seconds. A cancel waits until nothing is written any more.
 */
const FETCHING = {
  ...ENDLESS,
  heartbeatTimeout: '5s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} satisfies ActivityOptions;

/**
 * One step of making an engine: a build for CUDA takes an hour on a small node. A node that is away is waited for, since what
 * it has made is kept, but not for longer than somebody would remember the preload. A cancel waits until nothing runs.
 */
const MAKING = {
  ...FETCHING,
  startToCloseTimeout: '6h',
  scheduleToCloseTimeout: '24h',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumAttempts: 5 },
} satisfies ActivityOptions;

/** Answers at once, and a node that is away is waited for: nothing is decided without it. */
const PATIENT = {
  startToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
} satisfies ActivityOptions;

/**
 * Undo: tried hard for five minutes, the stop ladder included. A node that is gone for a minute cleans up itself when
 * it comes back, by its spawn records.
 */
const CLEANUP = {
  startToCloseTimeout: '5m',
  heartbeatTimeout: '10s',
  scheduleToStartTimeout: '1m',
  scheduleToCloseTimeout: '5m',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
} satisfies ActivityOptions;

/** Undo that answers at once and needs no heartbeat. */
const QUICK_CLEANUP = {
  ...CLEANUP,
  startToCloseTimeout: '20s',
  heartbeatTimeout: undefined,
} satisfies ActivityOptions;

/** The activities of one node; each call says in a few words what it is for, and operators read that in the history. */
export function onNode(nodeId: string) {
  const on = (options: ActivityOptions) => (summary: string) =>
    proxyActivities<NodeActivities>({ taskQueue: nodeQueue(nodeId), ...options, summary });
  return {
    quick: on(QUICK),
    /** Polls for at most `limitMs`. */
    polled: (limitMs: number) => on({ ...POLL, scheduleToCloseTimeout: limitMs }),
    supervised: on(SUPERVISED),
    endless: on(ENDLESS),
    patient: on(PATIENT),
    /** In a slot of the long runs. */
    watching: on({ ...WATCHING, taskQueue: nodeRunsQueue(nodeId) }),
    /** In a slot of the downloads. */
    fetching: on({ ...FETCHING, taskQueue: nodeModelsQueue(nodeId) }),
    /** In a slot of the downloads. */
    making: on({ ...MAKING, taskQueue: nodeModelsQueue(nodeId) }),
    cleanup: on(CLEANUP),
    quickCleanup: on(QUICK_CLEANUP),
  };
}
