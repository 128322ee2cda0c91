/** How a supervisor puts its pool to sleep, and wakes it for the tasks that wait: one load for all of them. */
import { CancellationScope, condition, isCancellation, log, workflowInfo } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { PreparedEngine } from '../../contracts/pool.js';
import { shownRef } from '../../domain/model-source.js';
import { isUnfetched, withFetchedModel } from '../../domain/reload.js';
import { onNode } from './activities.js';
import { whenStaged } from './catalog-activities.js';
import { explainFailure } from './explain-failure.js';
import { preloadAsChild } from './preload-as-child.js';
import { enter, type Run } from './supervisor.js';

/** Somebody else's preload of the pool is looked after by them; it is looked at again after this. */
const BESIDE_MS = 2_000;

/** The pool has been idle for as long as it may. An engine that cannot be stopped is tried again. */
export async function fallAsleep(run: Run): Promise<void> {
  const { poolId: pool_id, ready } = run;
  enter(run, 'sleep', 'stopping the idle engine');
  try {
    await onNode(ready.node_id).cleanup('stop the idle engine').putToSleep({ pool_id, reason: 'idle' });
  } catch (err) {
    if (isCancellation(err)) throw err;
    log.error('the idle engine could not be stopped', { event: 'sleep_failed', pool_id, err });
    await condition(() => run.isOver, BESIDE_MS);
  }
}

/** Fetches what is missing, makes room and loads; a task that waits hears of whatever stands in the way. */
export async function wake(run: Run, launch: PreparedEngine): Promise<void> {
  const { poolId: pool_id, news } = run;
  let prepared = launch;
  try {
    if (isUnfetched(launch)) {
      prepared = withFetchedModel(launch, await fetchModel(run, launch));
      // Drained, or loaded by somebody else, meanwhile.
      if (run.news !== news) return;
      await onNode(run.ready.node_id).patient('note where the model is').markPoolAsleep(prepared);
    }
    if (await hasRoom(run, prepared)) await load(run, prepared);
  } catch (err) {
    if (CancellationScope.current().consideredCancelled) throw err;
    await takeFailedWake(run, prepared, err);
    log.warn('the pool could not be woken', { event: 'wake_failed', pool_id, err });
  }
}

async function fetchModel(run: Run, { model_ref }: PreparedEngine): Promise<string> {
  const { node_id } = run.ready;
  enter(run, 'wake', `fetching ${shownRef(model_ref)}`);
  const order = { node_id, model_ref, correlation_id: correlationId() };
  return (await whenStaged('have the model fetched').stageModel(order)).local_path;
}

/** False where nobody waits any more, or somebody else has the pool. */
async function hasRoom(run: Run, prepared: PreparedEngine): Promise<boolean> {
  const { node_id } = run.ready;
  enter(run, 'wake', `making room on ${node_id}`);
  const found = await onNode(node_id).endless('make room for the engine').makeRoom(prepared);
  if (found.room === 'none') await tellWaiting(run, prepared, { type: 'NO_ROOM', message: found.message });
  return found.room === 'free';
}

/** An operator's preload of the same pool is waited for. */
async function load(run: Run, prepared: PreparedEngine): Promise<void> {
  const { news } = run;
  enter(run, 'wake', 'loading for the tasks that wait');
  try {
    await preloadAsChild(run, prepared, { verb: 'wake', correlation_id: correlationId() });
  } catch (err) {
    if (!(err instanceof WorkflowExecutionAlreadyStartedError)) throw err;
    await condition(() => run.news !== news, BESIDE_MS);
  }
}

/** A node that is away keeps its tasks, and is asked again once it is back. */
async function takeFailedWake(run: Run, prepared: PreparedEngine, err: unknown): Promise<void> {
  const { poolId: pool_id, ready } = run;
  const where = { node_id: ready.node_id, step: 'wake', pool_id, otherwise: 'PRELOAD_FAILED' } as const;
  const { type, message, cause_code } = explainFailure(err, where);
  if (type === 'POOL_UNAVAILABLE') await condition(() => run.isOver, BESIDE_MS);
  else await tellWaiting(run, prepared, { type: cause_code ?? type, message });
}

/** Ends the tasks that wait; the next one may try again. */
async function tellWaiting(
  run: Run,
  prepared: PreparedEngine,
  { type: cause_code, message: last_error }: { type: string; message: string },
): Promise<void> {
  await onNode(run.ready.node_id)
    .patient('tell the tasks that wait')
    .failWaiting({ prepared, cause_code, last_error });
}

function correlationId(): string {
  return `${workflowInfo().workflowId}:wake`;
}
