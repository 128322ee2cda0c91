/**
 * `preloadPool`: brings one replica of a pool up on its node. The API, `npm start` or an operator starts it under the id
 * `pool:<pool>:preload`, so that two requests meet in one run. It promises an engine that has generated a token and a
 * handoff that names it, or that nothing is left: no process, no PID file, no handoff, and a `last_error` that says why.
 * It ends with a {@link PreloadResult}, failed with the type of what went wrong, or cancelled after the same clean-up.
 */
import {
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  patched,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { StartingEngine } from '../activities/engine/await-engine-ready.js';
import type { PreflightResult } from '../activities/engine/preflight.js';
import type { SpawnedEngine } from '../activities/engine/spawn-engine.js';
import type { PreloadPoolInput, PreloadResult, PreparedEngine } from '../contracts/pool.js';
import { isEngineStep, isUnprovided, type EngineStep } from '../domain/engine-provision.js';
import { shownRef } from '../domain/model-source.js';
import { isRefusal } from '../domain/pool-failure.js';
import { isUnfetched, withFetchedModel } from '../domain/reload.js';
import { DEFAULT_RESTART_POLICY } from '../domain/restart-policy.js';
import { onNode } from './parts/activities.js';
import { whenStaged } from './parts/catalog-activities.js';
import { explainFailure, type Explanation } from './parts/explain-failure.js';
import { Progress } from './parts/progress.js';
import { provideEngine } from './parts/provide-engine.js';
import { withUndo, type Failure, type RegisterUndo } from './parts/saga.js';
import { tellReady } from './parts/tell-supervisor.js';
import { CorrelationId, Engine, ModelRef, NodeId, PoolId } from './search-attributes.js';

/** The steps in their order, as the current details and the failure of a run name them. */
type PreloadStep =
  'asleep' | EngineStep | 'model-fetch' | 'preflight' | 'run' | 'health' | 'probe' | 'handoff' | 'ready';

/** One run: what was asked, where it stands, how to reach the node, what to undo. */
interface Run {
  input: PreloadPoolInput;
  node: ReturnType<typeof onNode>;
  progress: Progress<PreloadStep>;
  /** Whether the pool is shown as provisioning: one that is serves no more, one that is not has an engine; null: not asked. */
  isShown: boolean | null;
}

/** Preloads one replica; see the module. */
export async function preloadPool(input: PreloadPoolInput): Promise<PreloadResult> {
  index(input);
  const { pool_id, replica_id } = input.prepared;
  const progress = new Progress<PreloadStep>('preload', 'preflight', { pool_id, replica_id });
  const run: Run = { input, node: onNode(input.node_id), progress, isShown: null };
  try {
    const result =
      input.asleep === true ? await layAsleep(run) : await withUndo((undoBy) => bringUp(run, undoBy));
    if (patched('preload-tells-supervision')) await tellSupervisor(input);
    return result;
  } catch (err) {
    run.progress.finish();
    if (isCancellation(err)) throw err;
    throw preloadFailure(run, err);
  }
}

/** The pool serves, whoever thinks better of its preload now: it has a supervisor from here on (B-SUPER-053). */
function tellSupervisor({ node_id, health_timeout_ms, prepared, ...input }: PreloadPoolInput): Promise<void> {
  const { supervision: policy = DEFAULT_RESTART_POLICY, by = 'operator' } = input;
  const ready = { node_id, health_timeout_ms, policy, by };
  return CancellationScope.nonCancellable(() => tellReady(prepared.pool_id, ready));
}

/** A pool on demand has its launch on record, and a supervisor that wakes it. */
async function layAsleep(run: Run): Promise<PreloadResult> {
  const { prepared } = run.input;
  enter(run, 'asleep', 'keeping the launch until a task asks for it');
  await run.node.quick('keep the launch until a task asks for it').markPoolAsleep(prepared);
  run.progress.finish('asleep, until a task asks for it');
  return { pool_id: prepared.pool_id, pid: null, handoff_path: null };
}

async function bringUp(run: Run, undoBy: RegisterUndo): Promise<PreloadResult> {
  const { input, node } = run;
  const startedAtMs = Date.now();
  undoBy('record the error', (failure) => recordError(run, failure));
  const launch = await fetched(run, await provided(run));
  enter(run, 'preflight', `looking at the node ${input.node_id}`);
  const { prepared, serving, ram } = await node
    .quick('check binary, model, memory, GPU and port')
    .preflight(launch);
  if (serving !== null) return serving;

  const engine = await startEngine(run, { prepared, ram }, undoBy);
  const handoff_path = await publish(run, { prepared, engine }, undoBy);

  enter(run, 'ready', 'giving the pool work');
  const duration_ms = Date.now() - startedAtMs;
  await node.quick('give the pool work').markPoolReady({ prepared, engine, duration_ms });
  run.progress.finish(`ready at ${engine.url}, pid ${engine.pid}`);
  return { pool_id: prepared.pool_id, pid: engine.pid, handoff_path };
}

/** The launch with its engine on the node's disk: one that is not there is made available first. */
async function provided(run: Run): Promise<PreparedEngine> {
  const { prepared } = run.input;
  const isMissing = isUnprovided(prepared) || isUnfetched(prepared);
  if (isMissing && patched('preload-shows-provisioning')) {
    const show = run.node.quick('show that the pool is being made ready');
    run.isShown = await show.markPoolProvisioning(prepared);
  }
  return provideEngine(run.node, prepared, (step, doing) => enter(run, step, doing));
}

/** The launch with its model on the node's disk: one that has to come from elsewhere is fetched first. */
async function fetched(run: Run, prepared: PreparedEngine): Promise<PreparedEngine> {
  const { node_id, correlation_id } = run.input;
  if (!isUnfetched(prepared)) return prepared;
  const { model_ref } = prepared;
  enter(run, 'model-fetch', `fetching ${shownRef(model_ref)}`);
  const order = { node_id, model_ref, correlation_id };
  const { local_path } = await whenStaged('have the model fetched').stageModel(order);
  return withFetchedModel(prepared, local_path);
}

/** Spawn, health, probe: readiness is a process that is ours, says it is healthy, and generates (design §5). */
async function startEngine(
  run: Run,
  { prepared, ram }: Pick<PreflightResult, 'prepared' | 'ram'>,
  undoBy: RegisterUndo,
): Promise<SpawnedEngine> {
  const { input, node } = run;
  const { pool_id, replica_id } = prepared;
  enter(run, 'run', `starting ${prepared.binary_path}`);
  await node.quick('show the pool as starting').markPoolStarting(prepared);
  undoBy('stop the engine', () =>
    node
      .cleanup('stop the engine')
      .stopEngine({ pool_id, replica_id, reason: 'preload failed', if_missing: 'stopped' }),
  );
  const engine = await node.quick(`start the engine on port ${prepared.port}`).spawnEngine(prepared, ram);

  enter(run, 'health', `polling ${engine.url}${prepared.health_path} of pid ${engine.pid}`);
  const health = node.polled(input.health_timeout_ms)('poll the health every 500 ms');
  await health.awaitEngineReady({ prepared, engine });

  enter(run, 'probe', `asking ${engine.url} for one token`);
  await node.supervised('ask for one token').probeEngine({ prepared, engine });
  return engine;
}

/** The handoff, only now: what stands in it is true (B-PRELOAD-022). */
function publish(run: Run, ready: StartingEngine, undoBy: RegisterUndo): Promise<string> {
  const { input, node } = run;
  const { pool_id, replica_id } = ready.prepared;
  enter(run, 'handoff', 'writing the handoff');
  undoBy('remove the handoff', () =>
    node.quickCleanup('remove the handoff').removeHandoff({ pool_id, replica_id }),
  );
  return node.quick('write the handoff').writeHandoff({ ...ready, correlation_id: input.correlation_id });
}

/** Makes the run findable by what operators search for. */
function index({ node_id, correlation_id, prepared }: PreloadPoolInput): void {
  upsertSearchAttributes([
    { key: PoolId, value: prepared.pool_id },
    { key: NodeId, value: node_id },
    { key: Engine, value: prepared.engine },
    { key: ModelRef, value: prepared.model_ref },
    { key: CorrelationId, value: correlation_id },
  ]);
}

function enter(run: Run, step: PreloadStep, doing: string): void {
  run.progress.enter(step, doing);
}

/** Puts the failure where the pool is shown, unless the pool was not touched and goes on as it was. */
async function recordError(run: Run, { cause, failedUndos }: Failure): Promise<void> {
  const { step } = run.progress;
  if (run.isShown === false && (step === 'model-fetch' || isEngineStep(step))) return;
  if (run.isShown !== true && step === 'preflight' && leavesPoolAlone(run, cause)) return;
  const left = failedUndos.map((what) => `; could not ${what}`).join('');
  const { prepared } = run.input;
  await run.node.quickCleanup('record the error').markPoolFailed({
    pool_id: prepared.pool_id,
    last_error: `${describe(run, cause)}${left}`,
    preload: {
      engine: prepared.engine,
      reason: isCancellation(cause) ? 'CANCELLED' : explain(run, cause).type,
    },
  });
}

/** A refusal and a cancel before the first deed change nothing; a node that is gone can be told nothing. */
function leavesPoolAlone(run: Run, cause: unknown): boolean {
  if (isCancellation(cause)) return true;
  const { type } = explain(run, cause);
  return isRefusal(type) || type === 'POOL_UNAVAILABLE';
}

function preloadFailure(run: Run, err: unknown): ApplicationFailure {
  const { node_id, prepared } = run.input;
  const { type, cause_code } = explain(run, err);
  const cause = cause_code === undefined ? {} : { cause: { cause_code } };
  return ApplicationFailure.create({
    message: describe(run, err),
    type,
    nonRetryable: true,
    details: [{ pool_id: prepared.pool_id, node_id, step: run.progress.step, ...cause }],
    ...(err instanceof Error ? { cause: err } : {}),
  });
}

/** The line that callers and `last_error` get (B-API-012, B-PRELOAD-032). */
function describe(run: Run, err: unknown): string {
  if (isCancellation(err)) return `preload cancelled during the step "${run.progress.step}"`;
  return `preload failed: ${explain(run, err).message}`;
}

function explain({ input, progress }: Run, err: unknown): Explanation {
  const where = { node_id: input.node_id, step: progress.step, pool_id: input.prepared.pool_id };
  return explainFailure(err, { ...where, otherwise: 'PRELOAD_FAILED' });
}
