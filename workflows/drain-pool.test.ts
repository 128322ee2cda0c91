import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { eventually } from '../testing/changes.js';
import { drainTwin, stillLeased } from '../testing/drain-twin.js';
import { openPoolStage, type DrainRun, type PoolStage } from '../testing/pool-stage.js';
import { failureOf, TWIN_NODE } from '../testing/twin-stage.js';
import { failing } from '../testing/preload-twin.js';
import * as attribute from './search-attributes.js';

let stage: PoolStage;
before(async () => {
  stage = await openPoolStage();
});
after(() => stage.close());

const GRACEFUL = [
  'markPoolDraining',
  'awaitLeases',
  'endLeases',
  'stopEngine',
  'stopEngine',
  'markPoolOffline',
];

/** Waits until the node has been asked for this step. */
function called({ calls }: ReturnType<typeof drainTwin>, name: string): Promise<true> {
  return eventually(
    () => `the call of ${name}, after ${calls.join()}`,
    () => (calls.includes(name) ? true : undefined),
  );
}

/** Names and order of the activities in a run's history. */
async function scheduled(run: DrainRun): Promise<string[]> {
  const { events } = await run.fetchHistory();
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: it }) => it?.activityType?.name ?? [],
  );
}

test('B-DRAIN-004, B-DRAIN-006, B-DRAIN-007: the engines are stopped once the last lease has ended, then the pool is offline', async () => {
  let tries = 0;
  const twin = drainTwin(2, {
    awaitLeases: () => {
      tries += 1;
      if (tries < 4) return Promise.reject(stillLeased());
      twin.state.activeLeases = 0;
      return Promise.resolve();
    },
  });
  const run = await stage.drain('graceful', twin.activities, 600_000);
  const { pool_id, force_stopped, final_lease_count } = await run.result();
  assert.deepEqual([pool_id, force_stopped, final_lease_count], ['graceful', false, 0]);
  assert.equal(tries, 4);
  assert.deepEqual(twin.calls, GRACEFUL);
  assert.deepEqual(await scheduled(run), GRACEFUL);
});

test('B-DRAIN-008: a pool without leases is not waited for', async () => {
  const twin = drainTwin(0);
  const run = await stage.drain('idle', twin.activities, 600_000);
  assert.equal((await run.result()).force_stopped, false);
  assert.deepEqual(
    twin.calls,
    GRACEFUL.filter((name) => name !== 'awaitLeases'),
  );
});

test('B-DRAIN-005, B-CP-023, B-DUR-010: leases that outlast the deadline are ended and counted, not before it', async () => {
  const twin = drainTwin(3);
  const run = await stage.drain('late', twin.activities, 90_000);
  const { force_stopped, final_lease_count, duration_ms } = await run.result();
  assert.deepEqual([force_stopped, final_lease_count], [true, 3]);
  assert.ok(duration_ms >= 90_000, `${duration_ms} ms`);
  assert.deepEqual(twin.calls, GRACEFUL);
  assert.deepEqual(twin.inputs.get('markPoolOffline'), {
    pool_id: 'late',
    force_stopped: true,
    duration_ms,
    final_lease_count: 3,
  });
});

test('B-DRAIN-011: with the deadline 0 what runs is ended at once', async () => {
  const twin = drainTwin(1, { awaitLeases: () => new Promise(() => undefined) });
  const run = await stage.drain('now', twin.activities, 0);
  const { force_stopped, final_lease_count } = await run.result();
  assert.deepEqual([force_stopped, final_lease_count], [true, 1]);
  assert.deepEqual(
    twin.calls.filter((name) => name !== 'awaitLeases'),
    ['markPoolDraining', 'endLeases', 'stopEngine', 'stopEngine', 'markPoolOffline'],
  );
});

test('B-CP-026, B-PDUR-001: a second request joins the drain that runs, and the earlier deadline wins', async () => {
  const twin = drainTwin(1);
  const first = await stage.drain('twice', twin.activities, 80_000_000);
  await called(twin, 'awaitLeases');
  const second = await stage.drain('twice', twin.activities, 60_000);
  assert.equal(second.signaledRunId, first.signaledRunId);
  const { duration_ms, force_stopped } = await second.result();
  assert.ok(duration_ms >= 60_000 && duration_ms < 80_000_000, `${duration_ms} ms`);
  assert.equal(force_stopped, true);
});

test('B-DRAIN-013: a drain that is cancelled while it waits stops nothing and gives the pool its work back', async () => {
  const twin = drainTwin(1);
  const run = await stage.drain('cancelled', twin.activities, 80_000_000);
  await called(twin, 'awaitLeases');
  await run.cancel();
  assert.ok((await failureOf(run)) instanceof CancelledFailure);
  assert.equal((await run.describe()).status.name, 'CANCELLED');
  assert.equal(twin.calls.at(-1), 'liftDrain');
  assert.equal((twin.inputs.get('liftDrain') as { outcome: string }).outcome, 'cancelled');
  assert.equal(twin.calls.includes('stopEngine') || twin.calls.includes('endLeases'), false);
});

test('B-DRAIN-013: a cancel that comes while the engine is being stopped changes nothing', async () => {
  let stopping: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (stopping = resolve));
  let goOn: () => void = () => undefined;
  const allowed = new Promise<void>((resolve) => (goOn = resolve));
  const twin = drainTwin(0, {
    stopEngine: async () => {
      stopping();
      await allowed;
      return { outcome: 'stopped', pid: 1 };
    },
  });
  const run = await stage.drain('too-late', twin.activities, 1_000);
  await begun;
  await run.cancel();
  goOn();
  assert.equal((await run.result()).pool_id, 'too-late');
  assert.equal(twin.calls.at(-1), 'markPoolOffline');
});

test('B-DRAIN-014: an engine that cannot be stopped fails the drain with that reason, and the pool is not called offline', async () => {
  const twin = drainTwin(0, { stopEngine: failing('StopFailed', 'the group 4711 outlives SIGKILL') });
  const failure = await failureOf(await stage.drain('stubborn', twin.activities, 1_000));
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'StopFailed');
  assert.equal(failure.message, 'drain failed: the group 4711 outlives SIGKILL');
  assert.equal(twin.calls.includes('markPoolOffline'), false);
  const { last_error, outcome } = twin.inputs.get('liftDrain') as { last_error: string; outcome: string };
  assert.deepEqual([outcome, last_error], ['failed', failure.message]);
});

test('B-CP-037: a drain that the node refuses leaves the pool as it is', async () => {
  const twin = drainTwin(0, { markPoolDraining: failing('POOL_CONFLICT', 'the pool is starting') });
  const failure = await failureOf(await stage.drain('starting', twin.activities, 1_000));
  assert.equal(failure instanceof ApplicationFailure && failure.type, 'POOL_CONFLICT');
  assert.deepEqual(twin.calls, ['markPoolDraining']);
});

test('B-WFH-004, B-PDUR-007: an operator finds the drain by pool, node and correlation id, and its outcome in it', async () => {
  const run = await stage.drain('found', drainTwin(0).activities, 1_000);
  const { pool_id } = await run.result();
  const { typedSearchAttributes: found } = await run.describe();
  assert.deepEqual(
    [pool_id, found.get(attribute.PoolId), found.get(attribute.NodeId), found.get(attribute.CorrelationId)],
    ['found', 'found', TWIN_NODE, 'corr-1'],
  );
  const { events } = await run.fetchHistory();
  assert.ok(events?.at(-1)?.workflowExecutionCompletedEventAttributes?.result);
});
