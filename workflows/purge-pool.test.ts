import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { eventually } from '../testing/changes.js';
import { drainTwin } from '../testing/drain-twin.js';
import { openPoolStage, type PoolStage, type PurgeRun, type Supervisor } from '../testing/pool-stage.js';
import { failing } from '../testing/preload-twin.js';
import { purgeTwin } from '../testing/purge-twin.js';
import { failureOf, TWIN_NODE } from '../testing/twin-stage.js';
import { operationStepsQuery, supervisionQuery } from './messages.js';
import * as attribute from './search-attributes.js';

let stage: PoolStage;
before(async () => {
  stage = await openPoolStage();
});
after(() => stage.close());

const DRAIN = ['markPoolDraining', 'endLeases', 'stopEngine', 'stopEngine', 'markPoolOffline'];
const EVERYTHING = { purge_engine: true, purge_models: ['tea', 'milk'], delete_cache_dirs: true };

test('B-CP-041, B-CP-042, OC-POOL-3106, B-CP-071: the drain has ended before anything is deleted, and the pool is forgotten last', async () => {
  const twin = purgeTwin();
  const run = await stage.purge('whole', twin.activities, EVERYTHING);
  const { duration_ms, ...outcome } = await run.result();
  assert.ok(duration_ms >= 0);
  assert.deepEqual(outcome, {
    ...{ pool_id: 'whole', drained: true, deregistered: true, cache_dirs_deleted: ['whole-r0'] },
    models: ['tea', 'milk'].map((model_id) => ({ model_id, outcome: 'removed', pools: [] })),
  });
  const deletions = ['removeModel tea', 'removeModel milk', 'deleteEngineDirs', 'deregisterPool'];
  assert.deepEqual(twin.calls, [...DRAIN, ...deletions]);
  const steps = await run.query(operationStepsQuery);
  assert.deepEqual(
    steps.map(({ step }) => step),
    ['drain', 'models', 'models', 'cache_dirs', 'deregister'],
  );
});

test('B-CP-040: what was not asked for is left alone; an empty purge is a drain', async () => {
  const twin = purgeTwin();
  const { deregistered, models, cache_dirs_deleted } = await (
    await stage.purge('empty', twin.activities)
  ).result();
  assert.deepEqual([deregistered, models, cache_dirs_deleted, twin.calls], [false, [], [], DRAIN]);
});

test('B-CP-040: without drain_first a pool whose models alone go serves on', async () => {
  const twin = purgeTwin();
  const run = await stage.purge('serving', twin.activities, { drain_first: false, purge_models: ['tea'] });
  assert.equal((await run.result()).drained, false);
  assert.deepEqual(twin.calls, ['removeModel tea']);
});

test('B-CP-040, B-CP-042: without drain_first an engine that is purged is stopped at once, tasks or not', async () => {
  const endless = () => new Promise<void>(() => undefined);
  const twin = purgeTwin({}, drainTwin(2, { awaitLeases: endless }));
  const run = await stage.purge('at-once', twin.activities, { drain_first: false, purge_engine: true });
  const { drained, deregistered } = await run.result();
  assert.deepEqual([drained, deregistered, twin.calls.at(-1)], [true, true, 'deregisterPool']);
  const { force_stopped, final_lease_count } = twin.drain.inputs.get('markPoolOffline') as {
    force_stopped: boolean;
    final_lease_count: number;
  };
  assert.deepEqual([force_stopped, final_lease_count], [true, 2]);
});

test('B-CP-043: a model that is kept is reported with its pools, the others go; force is passed on', async () => {
  const kept = { model_id: 'tea', outcome: 'in_use' as const, pools: ['other'] };
  const twin = purgeTwin({
    removeModel: ({ model_id, force }) =>
      Promise.resolve(model_id === 'tea' && !force ? kept : { model_id, outcome: 'removed', pools: [] }),
  });
  const purge_models = ['tea', 'milk'];
  const { models } = await (await stage.purge('kept', twin.activities, { purge_models })).result();
  assert.deepEqual(models, [kept, { model_id: 'milk', outcome: 'removed', pools: [] }]);
  const forced = await stage.purge('kept', twin.activities, { purge_models, force: true });
  assert.deepEqual(
    (await forced.result()).models.map(({ outcome }) => outcome),
    ['removed', 'removed'],
  );
  assert.deepEqual(
    twin.orders.map(({ correlation_id }) => correlation_id),
    ['corr-1', 'corr-1', 'corr-1', 'corr-1'],
  );
});

/** Waits for the end of a run without letting time pass: a supervisor at rest has nothing else before its own timeout. */
function completed(run: PurgeRun | Supervisor): Promise<true> {
  return eventually(
    () => `the end of ${run.workflowId}`,
    async () => ((await run.describe()).status.name === 'COMPLETED' ? true : undefined),
  );
}

test('B-CP-041, B-SUPER-017: the supervisor of a pool that is forgotten ends, that of one that is only drained rests', async () => {
  const [gone, kept] = await Promise.all([stage.supervise('gone'), stage.supervise('drained-only')]);
  await completed(await stage.purge('drained-only', purgeTwin().activities));
  await completed(await stage.purge('gone', purgeTwin().activities, { purge_engine: true }));
  await completed(gone);
  assert.equal((await kept.describe()).status.name, 'RUNNING');
  await eventually(
    () => 'the other supervisor to rest',
    async () => ((await kept.query(supervisionQuery)).step === 'off' ? true : undefined),
  );
  await kept.terminate();
});

test('B-CP-041, B-CP-042: a drain that fails fails the purge in its words, and nothing is deleted', async () => {
  const stubborn = failing('StopFailed', 'the group 4711 outlives SIGKILL');
  const twin = purgeTwin({}, drainTwin(0, { stopEngine: stubborn }));
  const failure = await failureOf(await stage.purge('stubborn', twin.activities, EVERYTHING));
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'StopFailed');
  assert.equal(failure.message, 'purge failed: drain failed: the group 4711 outlives SIGKILL');
  assert.deepEqual(
    twin.calls.filter((call) => /removeModel|delete|deregister/.test(call)),
    [],
  );
});

test('B-CP-042, B-DRAIN-013: a purge that is called off while tasks run has deleted nothing, and the pool serves', async () => {
  const twin = purgeTwin({}, drainTwin(1));
  const run = await stage.purge('called-off', twin.activities, {
    ...EVERYTHING,
    drain_deadline_ms: 80_000_000,
  });
  await eventually(
    () => `the wait for the leases, after ${twin.calls.join()}`,
    () => (twin.calls.includes('awaitLeases') ? true : undefined),
  );
  await run.cancel();
  assert.ok((await failureOf(run)) instanceof CancelledFailure);
  assert.equal((await run.describe()).status.name, 'CANCELLED');
  assert.equal(twin.calls.at(-1), 'liftDrain');
});

test('B-CP-041: a catalogue that is away is waited for; a step that stays impossible fails the purge and says which', async () => {
  let tries = 0;
  const away = purgeTwin({
    removeModel: ({ model_id }) => {
      tries += 1;
      if (tries < 4) return Promise.reject(ApplicationFailure.retryable('away', 'STORE_UNAVAILABLE'));
      return Promise.resolve({ model_id, outcome: 'removed', pools: [] });
    },
  });
  const run = await stage.purge('waits', away.activities, { purge_models: ['tea'] });
  assert.equal((await run.result()).models[0]?.outcome, 'removed');
  const refusing = purgeTwin({ deregisterPool: failing('POOL_CONFLICT', 'the pool is starting') });
  const failure = await failureOf(await stage.purge('starts', refusing.activities, { purge_engine: true }));
  assert.ok(failure instanceof ApplicationFailure);
  assert.deepEqual([failure.type, failure.message], ['POOL_CONFLICT', 'purge failed: the pool is starting']);
  assert.equal((failure.details?.[0] as { step: string }).step, 'deregister');
});

test('B-WFH-004, B-PDUR-007: an operator finds the purge by pool, node and correlation id', async () => {
  const run = await stage.purge('found', purgeTwin().activities);
  await run.result();
  const { typedSearchAttributes: found } = await run.describe();
  assert.deepEqual(
    [found.get(attribute.PoolId), found.get(attribute.NodeId), found.get(attribute.CorrelationId)],
    ['found', TWIN_NODE, 'corr-1'],
  );
});
