/**
 * `purgePool`: takes a pool out of service and removes what belongs to it. The API starts it under the id
 * `pool:<pool>:purge`, and a second one is refused meanwhile. In this order: the pool is drained, by the same story under
 * the same id as an operator's drain; the models that were named go, with their files; then the directories of its engines;
 * last of all its node forgets the pool, and its supervisor ends. Nothing is deleted before the drain has ended. It ends
 * with a {@link PurgeOutcome}; cancelled, it stops between two steps, and what is deleted by then stays deleted.
 */
import {
  ApplicationFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  log,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { PurgedModel, PurgeOutcome, PurgePoolInput } from '../contracts/purge.js';
import { CONTROL_QUEUE, poolWorkflowId } from '../domain/identity.js';
import { drainOfPurge } from '../domain/purge.js';
import type { drainPool } from './drain-pool.js';
import { onNode } from './parts/activities.js';
import { onCatalog } from './parts/catalog-activities.js';
import { explainFailure, type Explanation } from './parts/explain-failure.js';
import { Progress } from './parts/progress.js';
import { tellForgotten } from './parts/tell-supervisor.js';
import { CorrelationId, NodeId, PoolId } from './search-attributes.js';

/** The steps in their order. */
type PurgeStep = 'drain' | 'models' | 'cache_dirs' | 'deregister';

/** One run: what was asked, and where it stands. */
interface Run {
  input: PurgePoolInput;
  node: ReturnType<typeof onNode>;
  progress: Progress<PurgeStep>;
}

/** Purges one pool; see the module. */
export async function purgePool(input: PurgePoolInput): Promise<PurgeOutcome> {
  const startedAtMs = Date.now();
  const { pool_id, node_id, correlation_id } = input;
  const progress = new Progress<PurgeStep>('purge', 'drain', { pool_id });
  const run: Run = { input, node: onNode(node_id), progress };
  upsertSearchAttributes([
    { key: PoolId, value: pool_id },
    { key: NodeId, value: node_id },
    { key: CorrelationId, value: correlation_id },
  ]);
  try {
    const drained = await drain(run);
    const models = await removeModels(run);
    const cache_dirs_deleted = await deleteDirs(run);
    const deregistered = await deregister(run);
    const duration_ms = Date.now() - startedAtMs;
    const outcome = { pool_id, drained, deregistered, models, cache_dirs_deleted, duration_ms };
    log.info('purge: done', { event: 'purge_ended', ...outcome });
    progress.finish(`purged in ${duration_ms} ms, ${keptOf(models)} of ${models.length} models kept`);
    return outcome;
  } catch (err) {
    progress.finish();
    if (CancellationScope.current().consideredCancelled && isCancellation(err)) throw err;
    throw purgeFailure(run, err);
  }
}

async function drain({ input, progress }: Run): Promise<boolean> {
  const { pool_id, node_id, correlation_id } = input;
  const plan = drainOfPurge(input);
  if (plan === null) return false;
  progress.enter('drain', `draining the pool, for ${plan.deadline_ms} ms at most`);
  await executeChild<typeof drainPool>('drainPool', {
    workflowId: poolWorkflowId(pool_id, 'drain'),
    taskQueue: CONTROL_QUEUE,
    staticSummary: `drain pool ${pool_id} on node ${node_id} to purge it`,
    args: [{ node_id, pool_id, correlation_id, deadline_ms: plan.deadline_ms }],
  });
  return true;
}

async function removeModels({ input, progress }: Run): Promise<PurgedModel[]> {
  const { purge_models, force, correlation_id } = input;
  const purged: PurgedModel[] = [];
  for (const model_id of purge_models) {
    progress.enter('models', `removing the model ${model_id}`);
    const order = { model_id, force, correlation_id };
    purged.push(await onCatalog(`remove the model ${model_id}`).removeModel(order));
  }
  return purged;
}

async function deleteDirs({ input, node, progress }: Run): Promise<string[]> {
  if (!input.delete_cache_dirs) return [];
  progress.enter('cache_dirs', "deleting what the pool's engines have left");
  const { pool_id } = input;
  return (await node.cleanup("delete the engines' directories").deleteEngineDirs({ pool_id })).deleted;
}

async function deregister({ input, node, progress }: Run): Promise<boolean> {
  if (!input.purge_engine) return false;
  progress.enter('deregister', 'forgetting the pool');
  const { pool_id } = input;
  // A pool that is half forgotten would be one that nobody looks after: from here on there is no way back.
  return CancellationScope.nonCancellable(async () => {
    await tellForgotten(pool_id);
    return (await node.quickCleanup('forget the pool').deregisterPool({ pool_id })).existed;
  });
}

function keptOf(models: readonly PurgedModel[]): number {
  return models.filter(({ outcome }) => outcome === 'in_use' || outcome === 'outside_cache').length;
}

function purgeFailure({ input, progress }: Run, err: unknown): ApplicationFailure {
  const { node_id, pool_id } = input;
  const { type, message } = explain(err, input, progress.step);
  return ApplicationFailure.create({
    message: `purge failed: ${message}`,
    type,
    nonRetryable: true,
    details: [{ pool_id, node_id, step: progress.step }],
    ...(err instanceof Error ? { cause: err } : {}),
  });
}

function explain(err: unknown, { node_id, pool_id }: PurgePoolInput, step: PurgeStep): Explanation {
  if (err instanceof WorkflowExecutionAlreadyStartedError) {
    const message = `another operation on the pool runs: ${poolWorkflowId(pool_id, 'drain')}`;
    return { type: 'POOL_CONFLICT', message };
  }
  if (isCancellation(err)) return { type: 'PURGE_FAILED', message: 'its drain was called off' };
  return explainFailure(err, { node_id, step, pool_id, otherwise: 'PURGE_FAILED' });
}
