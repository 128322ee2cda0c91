/**
 * `drainPool`: takes a pool out of service. The API starts it under the id `pool:<pool>:drain`, so that two requests meet
 * in one run, with the earlier of their deadlines. It promises that no new work is taken from its first step on, that what
 * runs may end until the deadline, and that then no process, PID file or handoff is left. It ends with a
 * {@link DrainOutcome}; cancelled or failed before the engine was touched it leaves a pool that serves again; an engine
 * that cannot be stopped fails it visibly, and the pool is not called offline.
 */
import {
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  log,
  patched,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { DrainOutcome, DrainPoolInput } from '../contracts/pool.js';
import { earlierDeadline } from '../domain/drain.js';
import { isRefusal } from '../domain/pool-failure.js';
import { drainAskedSignal } from './messages.js';
import { onNode } from './parts/activities.js';
import { explainFailure, type Explanation } from './parts/explain-failure.js';
import { endsInTime } from './parts/leases.js';
import { Progress } from './parts/progress.js';
import { withUndo, type Failure, type RegisterUndo } from './parts/saga.js';
import { tellDrained } from './parts/tell-supervisor.js';
import { CorrelationId, NodeId, PoolId } from './search-attributes.js';

/** The steps in their order, as the current details and the failure of a run name them. */
type DrainStep = 'mark' | 'leases' | 'stop';

/** One run: what was asked, where it stands, until when it waits. */
interface Run {
  input: DrainPoolInput;
  node: ReturnType<typeof onNode>;
  progress: Progress<DrainStep>;
  startedAtMs: number;
  deadlineAtMs: number;
}

/** Drains one pool; see the module. */
export async function drainPool(input: DrainPoolInput): Promise<DrainOutcome> {
  const startedAtMs = Date.now();
  const deadlineAtMs = startedAtMs + input.deadline_ms;
  const progress = new Progress<DrainStep>('drain', 'mark', { pool_id: input.pool_id });
  const run: Run = { input, node: onNode(input.node_id), progress, startedAtMs, deadlineAtMs };
  setHandler(drainAskedSignal, ({ deadline_ms }) => {
    run.deadlineAtMs = earlierDeadline(run.deadlineAtMs, Date.now(), deadline_ms);
  });
  index(input);
  try {
    return await withUndo((undoBy) => drain(run, undoBy));
  } catch (err) {
    run.progress.finish();
    if (isCancellation(err)) throw err;
    throw drainFailure(run, err);
  }
}

async function drain(run: Run, undoBy: RegisterUndo): Promise<DrainOutcome> {
  const { pool_id, deadline_ms } = run.input;
  enter(run, 'mark', 'taking no new work');
  undoBy('give the pool its work back', (failure) => lift(run, failure));
  const { active_leases, replica_ids } = await run.node
    .quick('take no new work')
    .markPoolDraining({ pool_id, reason: 'operator', deadline_ms });
  if (active_leases > 0) {
    enter(run, 'leases', `waiting for ${active_leases} tasks, until ${isoTime(run.deadlineAtMs)} at most`);
    await leasesEnd(run);
  }
  enter(run, 'stop', 'stopping the engine');
  // From here on there is no way back: what is ended and stopped is not half stopped (B-DRAIN-013).
  return CancellationScope.nonCancellable(() => stop(run, replica_ids));
}

/** Resolves when no task runs, or when the deadline is over. */
async function leasesEnd(run: Run): Promise<void> {
  const { pool_id } = run.input;
  const wait = () => run.node.endless('wait for the running tasks').awaitLeases({ pool_id });
  await endsInTime(wait, () => run.deadlineAtMs);
}

async function stop(run: Run, replica_ids: readonly string[]): Promise<DrainOutcome> {
  const { node, input, startedAtMs } = run;
  const { pool_id } = input;
  const { final_lease_count } = await node
    .cleanup('end what still runs, take the engine away from the tasks')
    .endLeases({ pool_id });
  for (const replica_id of replica_ids) {
    await node
      .cleanup(`stop the engine of replica ${replica_id}`)
      .stopEngine({ pool_id, replica_id, reason: 'drain', if_missing: 'stopped' });
  }
  const force_stopped = final_lease_count > 0;
  const outcome = { pool_id, force_stopped, duration_ms: Date.now() - startedAtMs, final_lease_count };
  await node.quickCleanup('show the pool as offline').markPoolOffline(outcome);
  if (patched('drain-tells-supervision')) await tellDrained(pool_id);
  log.info('drain: done', { event: 'drain_ended', ...outcome });
  run.progress.finish(`offline after ${outcome.duration_ms} ms, ${final_lease_count} tasks broken off`);
  return outcome;
}

/** Makes the run findable by what operators search for. */
function index({ node_id, pool_id, correlation_id }: DrainPoolInput): void {
  upsertSearchAttributes([
    { key: PoolId, value: pool_id },
    { key: NodeId, value: node_id },
    { key: CorrelationId, value: correlation_id },
  ]);
}

function enter(run: Run, step: DrainStep, doing: string): void {
  run.progress.enter(step, doing);
}

/** A refused drain has marked nothing. */
async function lift(run: Run, { cause }: Failure): Promise<void> {
  const cancelled = isCancellation(cause);
  if (!cancelled && isRefusal(explain(run, cause).type)) return;
  await run.node.quickCleanup('give the pool its work back').liftDrain({
    pool_id: run.input.pool_id,
    outcome: cancelled ? 'cancelled' : 'failed',
    last_error: describe(run, cause),
    duration_ms: Date.now() - run.startedAtMs,
  });
}

function drainFailure(run: Run, err: unknown): ApplicationFailure {
  const { node_id, pool_id } = run.input;
  return ApplicationFailure.create({
    message: describe(run, err),
    type: explain(run, err).type,
    nonRetryable: true,
    details: [{ pool_id, node_id, step: run.progress.step }],
    ...(err instanceof Error ? { cause: err } : {}),
  });
}

function describe(run: Run, err: unknown): string {
  if (isCancellation(err)) return `drain cancelled during the step "${run.progress.step}"`;
  return `drain failed: ${explain(run, err).message}`;
}

function explain({ input, progress }: Run, err: unknown): Explanation {
  const { node_id, pool_id } = input;
  return explainFailure(err, { node_id, step: progress.step, pool_id, otherwise: 'DRAIN_FAILED' });
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
