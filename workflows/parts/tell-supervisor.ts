/** What operations on a pool tell its supervisor, the workflow `supervisePool`. */
import {
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { EngineReady } from '../../contracts/supervision.js';
import { CONTROL_QUEUE, poolWorkflowId } from '../../domain/identity.js';
import { engineReadySignal, poolDrainedSignal, poolForgottenSignal } from '../messages.js';
import type { supervisePool } from '../supervise-pool.js';

/** A supervisor may end or begin between two tries; more often than this it does neither. */
const TRIES = 3;

/** Tells the supervisor of a pool that it serves; a pool without one gets one, which outlives whoever made it. */
export async function tellReady(pool_id: string, ready: EngineReady): Promise<void> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    if (await isTold(pool_id, (supervisor) => supervisor.signal(engineReadySignal, ready))) return;
    if (await isStarted(pool_id, ready)) return;
  }
  log.error('the pool has no supervisor', { event: 'supervision_missing', pool_id });
}

/** Tells the supervisor of a pool that it is out of service; a pool without one has nobody to tell. */
export async function tellDrained(pool_id: string): Promise<void> {
  await isTold(pool_id, (supervisor) => supervisor.signal(poolDrainedSignal));
}

/** Ends the supervisor of a pool that is no more; a pool without one has nobody to tell. */
export async function tellForgotten(pool_id: string): Promise<void> {
  await isTold(pool_id, (supervisor) => supervisor.signal(poolForgottenSignal));
}

async function isTold(
  pool_id: string,
  tell: (supervisor: ReturnType<typeof getExternalWorkflowHandle>) => Promise<void>,
): Promise<boolean> {
  try {
    await tell(getExternalWorkflowHandle(poolWorkflowId(pool_id, 'supervise')));
    return true;
  } catch (err) {
    if (isCancellation(err)) throw err;
    return false; // There is none.
  }
}

async function isStarted(pool_id: string, ready: EngineReady): Promise<boolean> {
  try {
    await startChild<typeof supervisePool>('supervisePool', {
      workflowId: poolWorkflowId(pool_id, 'supervise'),
      taskQueue: CONTROL_QUEUE,
      args: [{ pool_id, ready }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `supervise pool ${pool_id} on node ${ready.node_id}`,
    });
    return true;
  } catch (err) {
    if (err instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw err;
  }
}
