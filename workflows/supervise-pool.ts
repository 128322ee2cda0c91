/**
 * `supervisePool`: keeps a pool up. The first preload of a pool that succeeds starts it under the id `pool:<pool>:supervise`;
 * it lives until the pool is purged, and continues as new before its history grows long. It watches the engine on its
 * node; when that crashes, it waits as `domain/supervision.ts` says and starts it again by a preload, the same story under
 * the same id as an operator's, so that two never meet. Open circuits hold restarts until their time is over or an
 * operator resets them. A drain, a shutdown, or another operation that has the pool is no crash. A pool that may sleep is put
 * to sleep when it has been idle, and woken by the first task that waits for it.
 */
import {
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { WatchedEngine } from '../activities/pool/watch-engine.js';
import type { DueRestart, SupervisePoolInput } from '../contracts/supervision.js';
import { classifyFailedRestart } from '../domain/crash.js';
import { isRefusal } from '../domain/pool-failure.js';
import { countWithin } from '../domain/restart-window.js';
import * as policy from '../domain/supervision.js';
import { onNode } from './parts/activities.js';
import { explainFailure } from './parts/explain-failure.js';
import { preloadAsChild } from './parts/preload-as-child.js';
import { fallAsleep, wake } from './parts/sleep.js';
import { apply, enter, isoTime, setUp, type Run } from './parts/supervisor.js';

/** A crash and its restart are about thirty events: some thirty of them are one page of history to an operator. */
const HISTORY_LIMIT = 1_000;

/** What went down, and is to be started again. */
type Fallen = Omit<DueRestart, 'at_ms' | 'held'>;

/** Supervises one pool; see the module. */
export async function supervisePool(input: SupervisePoolInput): Promise<void> {
  const run = setUp(input);
  while (!run.isOver && (!isLong() || run.untold.length > 0)) await takeNextStep(run);
  if (run.isOver) return;
  await continueAsNew<typeof supervisePool>({
    pool_id: run.poolId,
    ready: run.ready,
    carried: run.state,
  });
}

function isLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > HISTORY_LIMIT;
}

function takeNextStep(run: Run): Promise<void> {
  if (run.untold.length > 0) return tellTransitions(run);
  if (run.state.due !== null) return restartWhenDue(run, run.state.due);
  return run.state.wanted ? watch(run) : rest(run);
}

/** The pool is out of service: nothing happens until somebody preloads it. */
async function rest(run: Run): Promise<void> {
  enter(run, 'off', 'the pool is out of service');
  await condition(() => run.state.wanted || run.untold.length > 0 || run.isOver);
}

/** The engine serves; the longer it does, the more is forgiven. */
async function watch(run: Run): Promise<void> {
  const { poolId: pool_id, state, ready, news } = run;
  enter(run, 'watch', `the engine of ${ready.node_id} serves`);
  const scope = new CancellationScope();
  let seen: WatchedEngine | undefined;
  const watching = scope.run(async () => {
    const { known_crash_id } = state;
    seen = await onNode(ready.node_id).watching('watch the engine').watchEngine({ pool_id, known_crash_id });
  });
  const forgiving = scope.run(() => forgive(run, () => seen !== undefined || run.news !== news));
  try {
    await Promise.race([watching, forgiving]);
  } finally {
    scope.cancel();
    // Whichever came first has spoken; the other one's cancellation is no news.
    void Promise.allSettled([watching, forgiving]);
  }
  if (seen !== undefined) await takeWatched(run, seen, run.news !== news);
}

async function forgive(run: Run, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { state, ready } = run;
    const servedMs = Date.now() - state.serving_since_ms;
    const untilMs = policy.nextForgivenessMs(state.supervision, ready.policy, servedMs);
    const isWoken = () => isOver() || run.untold.length > 0;
    if (untilMs === undefined) await condition(isWoken);
    else if (!(await condition(isWoken, untilMs - servedMs)))
      apply(run, policy.afterServing(state.supervision, ready.policy, untilMs));
    if (run.untold.length > 0) await tellTransitions(run);
  }
}

async function takeWatched(run: Run, seen: WatchedEngine, hasNews: boolean): Promise<void> {
  const { crash } = seen;
  if (seen.idle === true) return fallAsleep(run);
  if (seen.wanted !== undefined) return wake(run, seen.wanted);
  if (crash === null) {
    // Stopped, unless somebody has started it again by now.
    if (!hasNews) run.state.wanted = false;
    return;
  }
  run.state.known_crash_id = crash.crash_id;
  if (run.state.wanted) await takeFall(run, crash);
}

/** Plans the restart, and shows the pool as waiting for it or as held. */
async function takeFall(run: Run, { prepared, kind, reason, last_error }: Fallen): Promise<void> {
  const { poolId: pool_id, state, ready } = run;
  const nowMs = Date.now();
  const verdict = policy.takeCrash(state.supervision, kind, ready.policy, nowMs, Math.random());
  const { next, transitions, storms, plan } = verdict;
  const { restart_count, crash_count } = next;
  state.supervision = next;
  state.last_crash = { reason, at_ms: nowMs };
  state.due = { prepared, kind, reason, last_error, at_ms: plan.at_ms, held: plan.held };
  const node = onNode(ready.node_id);
  const until = isoTime(plan.at_ms);
  const held = plan.held
    ? { until_ms: plan.at_ms, last_error: `the circuit is open until ${until}: ${last_error}` }
    : null;
  let pool = { taken: true };
  if (transitions.length > 0 || storms.length > 0 || held !== null)
    pool = await node
      .patient(held === null ? 'tell of the storm' : `hold restarts until ${until}`)
      .markCircuits({ pool_id, transitions, storms, restart_count, held });
  if (held === null)
    pool = await node.patient(`plan the restart at ${until}`).planRestart({
      ...{ pool_id, kind, last_error, crash_count, restart_count },
      ...{ backoff_ms: plan.at_ms - nowMs, next_restart_at_ms: plan.at_ms, rate_limited: plan.rate_limited },
      window_ms: ready.policy.window_ms,
    });
  if (!pool.taken) Object.assign(state, { due: null, known_crash_id: null });
}

/** Waits, by a timer that outlives every process, and starts the engine again if the pool still waits for that. */
async function restartWhenDue(run: Run, due: DueRestart): Promise<void> {
  const { state, news } = run;
  const waitMs = due.at_ms - Date.now();
  if (waitMs > 0) {
    const what = due.held ? 'restarts are held' : 'the restart waits';
    enter(run, due.held ? 'open' : 'backoff', `${what} until ${isoTime(due.at_ms)} after ${due.reason}`);
    if (await condition(() => run.news !== news, waitMs)) return;
  }
  enter(run, 'restart', `starting again after ${due.reason}`);
  if (due.held) {
    apply(run, policy.letOneThrough(state.supervision));
    await tellTransitions(run);
  }
  if (await isBegun(run, due)) await restart(run, due);
  // Whoever has the pool by now may serve with the very engine that was given up: its next crash is another one.
  else if (run.news === news) Object.assign(state, { due: null, known_crash_id: null });
}

/** Counts the restart; false where another operation has the pool. */
async function isBegun(run: Run, { kind }: DueRestart): Promise<boolean> {
  const { poolId: pool_id, state, ready } = run;
  const { window_ms, window_warning: warn_above } = ready.policy;
  const nowMs = Date.now();
  const { restart_count, restarts_at_ms } = policy.countRestart(state.supervision, ready.policy, nowMs);
  const restarts_in_window = countWithin(restarts_at_ms, window_ms, nowMs);
  const { taken } = await onNode(ready.node_id)
    .patient(`begin restart ${restart_count}`)
    .beginRestart({ pool_id, kind, restart_count, restarts_in_window, window_ms, warn_above });
  if (taken) state.supervision = policy.countRestart(state.supervision, ready.policy, nowMs);
  return taken;
}

async function restart(run: Run, due: DueRestart): Promise<void> {
  const { state } = run;
  const correlation_id = `${workflowInfo().workflowId}:${state.supervision.restart_count}`;
  try {
    await preloadAsChild(run, due.prepared, { verb: 'restart', correlation_id, why: ` after ${due.reason}` });
    state.due = null;
  } catch (err) {
    if (CancellationScope.current().consideredCancelled) throw err;
    await takeFailedRestart(run, due, err);
  }
}

/** A restart that fails is one more crash, unless it was somebody else's word. */
async function takeFailedRestart(run: Run, due: DueRestart, err: unknown): Promise<void> {
  const { poolId: pool_id, ready, state } = run;
  if (isCancellation(err)) {
    Object.assign(state, { wanted: false, due: null });
    return;
  }
  if (err instanceof WorkflowExecutionAlreadyStartedError) {
    state.due = null;
    return;
  }
  const where = { node_id: ready.node_id, step: 'restart', pool_id, otherwise: 'PRELOAD_FAILED' } as const;
  const { type, message } = explainFailure(err, where);
  if (isRefusal(type)) state.due = null;
  // The node is away, which is none of the engine's crashes: the next try waits for it.
  else if (type === 'POOL_UNAVAILABLE') state.due = { ...due, held: false, at_ms: Date.now() };
  else {
    const { prepared } = due;
    await takeFall(run, { prepared, ...classifyFailedRestart(type, message), last_error: message });
  }
}

async function tellTransitions(run: Run): Promise<void> {
  const { poolId: pool_id, ready, state, untold } = run;
  const transitions = untold.splice(0);
  if (transitions.length === 0) return;
  const { restart_count } = state.supervision;
  await onNode(ready.node_id)
    .patient(transitions.map(({ circuit, new_state }) => `the ${circuit} circuit is ${new_state}`).join(', '))
    .markCircuits({ pool_id, transitions, storms: [], restart_count, held: null });
}
