/**
 * `reloadPool`: exchanges the engine of a pool for one with another model. The API starts it under the id
 * `pool:<pool>:reload`; a second one is refused while it runs. Where the node has room, the new engine is started beside
 * the old one, proves itself, and gets the new work in one step, while the old one ends its streams; else the old one is
 * drained and stopped first. Whatever fails before the switch leaves the old engine serving and nothing of the new one.
 * It ends with a {@link ReloadOutcome}, or failed with the type of what went wrong.
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
import type { ReloadOutcome, ReloadPoolInput, PreparedEngine } from '../contracts/pool.js';
import { healthLimitMs } from '../domain/health-limit.js';
import { replicaBefore, replicaBeside } from '../domain/identity.js';
import type { EngineStep } from '../domain/engine-provision.js';
import { mustBeFetched, shownRef } from '../domain/model-source.js';
import { isUnfetched, withFetchedModel } from '../domain/reload.js';
import { onNode } from './parts/activities.js';
import { whenStaged } from './parts/catalog-activities.js';
import { explainFailure, type Explanation } from './parts/explain-failure.js';
import { endsInTime } from './parts/leases.js';
import { Progress } from './parts/progress.js';
import { provideEngine } from './parts/provide-engine.js';
import { withUndo, type Failure, type RegisterUndo } from './parts/saga.js';
import { CorrelationId, ModelRef, NodeId, PoolId } from './search-attributes.js';

/** The steps as the current details and the failure of a run name them (B-RELOAD-020). */
type ReloadStep = EngineStep | 'plan' | 'stage' | 'drain' | 'stop_old' | 'start_new' | 'health' | 'publish';

/** Failures of the look at the node that say no more than: not beside the old engine. */
const NO_ROOM = ['InsufficientRam', 'InsufficientVram', 'SpawnFailed'];

/** The old engine gets the time of a preload, however little the new one was given. */
const ROLLBACK_HEALTH_MS = 120_000;

/** One run: what was asked, where it stands, what it exchanges. */
interface Run {
  input: ReloadPoolInput;
  node: ReturnType<typeof onNode>;
  progress: Progress<ReloadStep>;
  startedAtMs: number;
  newEngineVersion: string;
  /** Why the old engine could not be brought up again. */
  rollbackError: string | undefined;
}

/** The old engine, and what shall serve instead. */
interface Exchange {
  current: StartingEngine;
  next: PreparedEngine;
}

/** What preflight lets through. */
type Launch = Pick<PreflightResult, 'prepared' | 'ram'>;

/** Reloads one pool; see the module. */
export async function reloadPool(input: ReloadPoolInput): Promise<ReloadOutcome> {
  index(input);
  const [node, startedAtMs] = [onNode(input.node_id), Date.now()];
  const progress = new Progress<ReloadStep>('reload', 'plan', { pool_id: input.pool_id });
  const run: Run = { input, node, progress, startedAtMs, newEngineVersion: '', rollbackError: undefined };
  try {
    const retired = await withUndo((undoBy) => exchange(run, undoBy));
    // Switched: there is no way back, and a stream of the old engine is nobody's to cancel.
    if (retired !== null) await CancellationScope.nonCancellable(() => retireOld(run, retired));
    const outcome = outcomeOf(run, true, false);
    await node.quickCleanup('tell how it went').endReload({ ...outcome, reason: null, last_error: null });
    run.progress.finish(`${run.newEngineVersion} serves after ${outcome.duration_ms} ms`);
    return outcome;
  } catch (err) {
    run.progress.finish();
    if (isCancellation(err)) throw err;
    throw reloadFailure(run, err);
  }
}

/** Brings the new engine up and gives it the work; answers the name of the old one where that is still there. */
async function exchange(run: Run, undoBy: RegisterUndo): Promise<string | null> {
  const { input, node } = run;
  const { pool_id, new_model_ref, strategy } = input;
  enter(run, 'plan', 'looking at what serves');
  undoBy('tell how it went', (failure) => endFailed(run, failure));
  const staged_path = await stage(run);
  const prepared = await provided(run, launchWith(input.prepared, staged_path));
  const asked = { pool_id, new_model_ref, prepared, ...(staged_path === undefined ? {} : { staged_path }) };
  const plan = await node.quick('look at what serves').planReload(asked);
  run.newEngineVersion = plan.next.engine_version;
  enter(run, 'stage', `looking for room for ${plan.next.model_ref}`);
  const beside = await launchBeside(run, plan.next);
  if (beside === undefined && strategy === 'beside') {
    throw ApplicationFailure.nonRetryable('there is no room beside the old engine', 'InsufficientRam');
  }
  if (beside === undefined || strategy === 'in_place') {
    await exchangeInPlace(run, plan, undoBy);
    return null;
  }
  await exchangeBeside(run, plan.current, beside, undoBy);
  return replicaBefore(plan.current.prepared.replica_id);
}

/** Where a model stands that had to be fetched first; the pool serves meanwhile (B-RELOAD-002). */
async function stage(run: Run): Promise<string | undefined> {
  const { node_id, correlation_id } = run.input;
  const model_ref = refToFetch(run.input);
  if (model_ref === undefined || !mustBeFetched(model_ref) || !patched('reload-fetches-models'))
    return undefined;
  enter(run, 'stage', `fetching ${shownRef(model_ref)}`);
  const order = { node_id, model_ref, correlation_id };
  return (await whenStaged('have the model fetched').stageModel(order)).local_path;
}

/** The new launch with its engine on the node's disk; the pool serves meanwhile. */
async function provided(run: Run, launch: ReloadPoolInput['prepared']): Promise<ReloadPoolInput['prepared']> {
  if (launch === undefined) return undefined;
  return provideEngine(run.node, launch, (step, doing) => enter(run, step, doing));
}

function refToFetch({ new_model_ref, prepared }: ReloadPoolInput): string | undefined {
  return prepared !== undefined && isUnfetched(prepared) ? prepared.model_ref : new_model_ref;
}

function launchWith(
  launch: ReloadPoolInput['prepared'],
  path: string | undefined,
): ReloadPoolInput['prepared'] {
  return launch === undefined || path === undefined ? launch : withFetchedModel(launch, path);
}

/** The launch beside the old engine; undefined where only the room is missing. A model that is not there fails here. */
async function launchBeside({ node }: Run, next: PreparedEngine): Promise<Launch | undefined> {
  const replica_id = replicaBeside(next.replica_id);
  try {
    return await node
      .quick('check binary, model, memory, GPU and port beside the old engine')
      .preflight({ ...next, replica_id });
  } catch (err) {
    if (isCancellation(err)) throw err;
    const where = { node_id: '', step: 'stage', pool_id: next.pool_id };
    const { type } = explainFailure(err, { ...where, otherwise: 'RELOAD_FAILED' });
    if (NO_ROOM.includes(type)) return undefined;
    throw err;
  }
}

async function exchangeBeside(
  run: Run,
  current: StartingEngine,
  next: Launch,
  undoBy: RegisterUndo,
): Promise<void> {
  const { node, input } = run;
  undoBy('stop the new engine', () => stop(run, next.prepared.replica_id, 'reload failed'));
  const started = await bringUp(run, next);
  enter(run, 'publish', 'giving the new engine the work');
  const named = { ...started, prepared: { ...next.prepared, replica_id: current.prepared.replica_id } };
  const { correlation_id } = input;
  undoBy('write the handoff of the old engine', () =>
    node.quickCleanup('write the handoff of the old engine').writeHandoff({ ...current, correlation_id }),
  );
  await node.quick('write the handoff').writeHandoff({ ...named, correlation_id });
  await node.quick('give the new engine the work').switchEngine(named);
}

/** After the switch: the old engine ends its streams; only `force` ends them for it (C-024). */
async function retireOld(run: Run, replica_id: string): Promise<void> {
  const { node, input } = run;
  const { pool_id, drain_deadline_ms, force } = input;
  enter(run, 'drain', 'waiting for the streams of the old engine');
  const wait = () =>
    node.endless('wait for the streams of the old engine').awaitLeases({ pool_id, replica_id });
  const deadlineAtMs = Date.now() + drain_deadline_ms;
  if (force) await endsInTime(wait, () => deadlineAtMs);
  else await wait();
  enter(run, 'stop_old', 'stopping the old engine');
  await node.cleanup('take the old engine from its tasks').endLeases({ pool_id, replica_id });
  await stop(run, replica_id, 'reload');
}

async function exchangeInPlace(run: Run, { current, next }: Exchange, undoBy: RegisterUndo): Promise<void> {
  const { node, input } = run;
  const { pool_id, correlation_id } = input;
  const { replica_id } = current.prepared;
  enter(run, 'drain', 'waiting for the running tasks');
  await node.quick('let new work wait').markPoolReloading({ pool_id });
  await drainOld(run, replica_id);
  enter(run, 'stop_old', 'stopping the old engine');
  undoBy('start the old engine again', () => startAgain(run, current));
  await node.cleanup('take the engine from its tasks').endLeases({ pool_id, replica_id });
  await stop(run, replica_id, 'reload');
  undoBy('stop the new engine', () => stop(run, replica_id, 'reload failed'));
  const launch = await node.quick('check binary, model, memory, GPU and port').preflight(next);
  const started = await bringUp(run, launch);
  enter(run, 'publish', 'giving the pool work');
  await node.quick('write the handoff').writeHandoff({ ...started, correlation_id });
  const duration_ms = Date.now() - run.startedAtMs;
  await node.quick('give the pool work').markPoolReady({ ...started, duration_ms });
}

/** Without `force`, a deadline that passes gives the reload up while the old engine is whole (B-RELOAD-014). */
async function drainOld({ node, input }: Run, replica_id: string): Promise<void> {
  const { pool_id, drain_deadline_ms, force } = input;
  const deadlineAtMs = Date.now() + drain_deadline_ms;
  const wait = () => node.endless('wait for the running tasks').awaitLeases({ pool_id, replica_id });
  if ((await endsInTime(wait, () => deadlineAtMs)) || force) return;
  const message = `drain timeout: tasks still ran after ${drain_deadline_ms} ms`;
  throw ApplicationFailure.nonRetryable(message, 'DrainTimeout');
}

/** Spawn, health, probe, as in a preload (B-RELOAD-005). */
async function bringUp(run: Run, { prepared, ram }: Launch): Promise<StartingEngine> {
  const { node, input } = run;
  enter(run, 'start_new', `starting ${prepared.binary_path}`);
  const engine = await node.quick(`start the new engine on port ${prepared.port}`).spawnEngine(prepared, ram);
  enter(run, 'health', `polling ${engine.url}${prepared.health_path} of pid ${engine.pid}`);
  await node
    .polled(healthLimitMs(prepared, input.health_timeout_ms))('poll the health every 500 ms')
    .awaitEngineReady({ prepared, engine });
  await node.supervised('ask for one token').probeEngine({ prepared, engine });
  return { prepared, engine };
}

/** The rollback of an exchange in place: a real start and a real look, not a flag (C-025). */
async function startAgain(run: Run, { prepared }: StartingEngine): Promise<void> {
  const { node, input } = run;
  run.progress.turnBack('starting the old engine again');
  try {
    const engine = await node.quickCleanup('start the old engine again').spawnEngine(prepared);
    await node.polled(ROLLBACK_HEALTH_MS)('poll its health').awaitEngineReady({ prepared, engine });
    await node.supervised('ask it for one token').probeEngine({ prepared, engine });
    const { correlation_id } = input;
    await node.quickCleanup('write its handoff').writeHandoff({ prepared, engine, correlation_id });
    const duration_ms = Date.now() - run.startedAtMs;
    await node.quickCleanup('give the pool work').markPoolReady({ prepared, engine, duration_ms });
  } catch (err) {
    run.rollbackError = explain(run, err).message;
    await stop(run, prepared.replica_id, 'rollback failed');
    throw err;
  }
}

async function stop({ node, input }: Run, replica_id: string, reason: string): Promise<void> {
  const { pool_id } = input;
  await node
    .cleanup(`stop the engine of replica ${replica_id}`)
    .stopEngine({ pool_id, replica_id, reason, if_missing: 'stopped' });
}

/** Makes the run findable by what operators search for. */
function index({ node_id, pool_id, correlation_id, new_model_ref, prepared }: ReloadPoolInput): void {
  upsertSearchAttributes([
    { key: PoolId, value: pool_id },
    { key: NodeId, value: node_id },
    { key: CorrelationId, value: correlation_id },
    { key: ModelRef, value: new_model_ref ?? prepared?.model_ref ?? '' },
  ]);
}

function enter(run: Run, step: ReloadStep, doing: string): void {
  run.progress.enter(step, doing);
}

/** Runs last of the undos: whatever they have brought back takes its work again. */
async function endFailed(run: Run, { cause, failedUndos }: Failure): Promise<void> {
  const outcome = outcomeOf(run, false, run.progress.step !== 'plan' && failedUndos.length === 0);
  const left = failedUndos.map((what) => `; could not ${what}`).join('');
  await run.node.quickCleanup('tell how it went').endReload({
    ...outcome,
    reason: isCancellation(cause) ? 'CANCELLED' : typeOf(run, cause),
    last_error: `${describe(run, cause)}${left}`,
  });
}

function outcomeOf(run: Run, success: boolean, rolled_back: boolean): ReloadOutcome {
  const { input, newEngineVersion: new_engine_version, startedAtMs } = run;
  const duration_ms = Date.now() - startedAtMs;
  return { pool_id: input.pool_id, success, rolled_back, new_engine_version, duration_ms };
}

function reloadFailure(run: Run, err: unknown): ApplicationFailure {
  const { node_id, pool_id } = run.input;
  return ApplicationFailure.create({
    message: describe(run, err),
    type: typeOf(run, err),
    nonRetryable: true,
    details: [{ pool_id, node_id, step: run.progress.step }],
    ...(err instanceof Error ? { cause: err } : {}),
  });
}

function typeOf(run: Run, err: unknown): string {
  return run.rollbackError === undefined ? explain(run, err).type : 'RollbackFailed';
}

function describe(run: Run, err: unknown): string {
  if (isCancellation(err)) return `reload cancelled during the step "${run.progress.step}"`;
  const { message } = explain(run, err);
  const second = run.rollbackError === undefined ? '' : `; rollback failed: ${run.rollbackError}`;
  return `reload failed: ${message}${second}`;
}

function explain({ input, progress }: Run, err: unknown): Explanation {
  const { node_id, pool_id } = input;
  return explainFailure(err, { node_id, step: progress.step, pool_id, otherwise: 'RELOAD_FAILED' });
}
