/** What control workers do for the registry of nodes, and what a failure of it means. */
import {
  ActivityCancellationType,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
} from '@temporalio/workflow';
import type { RegistryActivities } from '../../activities/registry-activities.js';
import type { NodeFailureDetails, NodeRequest, NodeVisited } from '../../contracts/registered-node.js';
import { CONTROL_QUEUE } from '../../domain/identity.js';
import { RETRY_PROFILES } from '../../domain/retry-profiles.js';

const CONNECT = RETRY_PROFILES['node-connect'];

/**
 * A visit takes 10 s at most; three of them, the second after 200 ms and the third after 400 (B-NODE-003, C-165). Whether one
 * more makes sense the failure says. Nothing of it is to be undone, so a cancel waits for nothing.
 */
const { visitNode } = proxyActivities<RegistryActivities>({
  taskQueue: CONTROL_QUEUE,
  summary: 'reach the node by SSH',
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '40s',
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: {
    initialInterval: CONNECT.baseMs,
    backoffCoefficient: 2,
    maximumInterval: CONNECT.capMs,
    maximumAttempts: CONNECT.attempts,
  },
});

/** A database that is away for a moment is waited for; a caller waits for the whole. */
const inRegistry = (summary: string) =>
  proxyActivities<RegistryActivities>({
    taskQueue: CONTROL_QUEUE,
    summary,
    startToCloseTimeout: '5s',
    scheduleToCloseTimeout: '10s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '500ms', backoffCoefficient: 1 },
  });

/** Visits a node by SSH. @throws ApplicationFailure with the code of the answer */
export function visit(node: NodeRequest): Promise<NodeVisited> {
  const late = { type: 'SSH_TIMEOUT', message: 'the visit of the node did not end in time' };
  return explained(node.node_name, late, () => visitNode({ node }));
}

/** Enters a node into the registry. @throws ApplicationFailure with the code of the answer */
export function enter(node: NodeRequest): Promise<void> {
  const { enterNode } = inRegistry('enter the node into the registry');
  return explained(node.node_name, REGISTRY_AWAY, () => enterNode({ node }));
}

/** Notes whether a node was reached. @throws ApplicationFailure with the code of the answer */
export function noteContact(node_name: string, reached: boolean): Promise<void> {
  const steps = inRegistry(`note that the node was ${reached ? '' : 'not '}reached`);
  return explained(node_name, REGISTRY_AWAY, () => steps.noteContact({ node_name, reached }));
}

const REGISTRY_AWAY = { type: 'STORE_UNAVAILABLE', message: 'the registry of nodes was not written in time' };

/** What an activity reported last is how its workflow fails; `late` where it reported nothing. */
export async function explained<T>(
  node_name: string,
  late: { type: string; message: string },
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step();
  } catch (err) {
    if (isCancellation(err)) throw err;
    const { type, message, details } = reportedIn(err) ?? { ...late, details: undefined };
    const facts: NodeFailureDetails = { node_name };
    throw ApplicationFailure.create({
      message: message || late.message,
      type: type ?? late.type,
      nonRetryable: true,
      details: details ?? [facts],
      ...(err instanceof Error ? { cause: err } : {}),
    });
  }
}

function reportedIn(err: unknown): Pick<ApplicationFailure, 'type' | 'message' | 'details'> | undefined {
  for (let at = err; at instanceof Error; at = at.cause) if (at instanceof ApplicationFailure) return at;
  return undefined;
}
