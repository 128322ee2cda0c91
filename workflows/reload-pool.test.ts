import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { PoolFailureType } from '../domain/pool-failure.js';
import { eventually } from '../testing/changes.js';
import { stillLeased } from '../testing/drain-twin.js';
import { openPoolStage, type PoolStage } from '../testing/pool-stage.js';
import { failureOf } from '../testing/twin-stage.js';
import { BUILT, failing, preloadInput, preloadTwin, unbuilt } from '../testing/preload-twin.js';
import type { CatalogActivities } from '../activities/catalog-activities.js';
import { reloadTwin, type ReloadTwin } from '../testing/reload-twin.js';
import { operationStepsQuery } from './messages.js';

let stage: PoolStage;
before(async () => {
  stage = await openPoolStage();
});
after(() => stage.close());

const PLAN = ['planReload', 'preflight r0.next new'];
const UP = ['spawnEngine r0.next new', 'awaitEngineReady r0.next new', 'probeEngine r0.next new'];
const SWITCH = ['writeHandoff r0 new', 'switchEngine r0 new'];
const RETIRE = ['awaitLeases r0.old', 'endLeases r0.old', 'stopEngine r0.old'];
const UP_IN_PLACE = ['spawnEngine r0 new', 'awaitEngineReady r0 new', 'probeEngine r0 new'];
const UP_AGAIN = ['spawnEngine r0 old', 'awaitEngineReady r0 old', 'probeEngine r0 old'];

async function failed(run: { result(): Promise<unknown> }): Promise<ApplicationFailure> {
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  return failure;
}

test('B-RELOAD-005, B-RELOAD-008, B-CP-034: beside the old engine the new one proves itself, is switched to, and the old one is stopped last', async () => {
  const twin = reloadTwin(0);
  const outcome = await (await stage.reload('beside', twin.activities)).result();
  assert.deepEqual(
    { ...outcome, duration_ms: 0 },
    { pool_id: 'beside', success: true, rolled_back: false, new_engine_version: 'b5678', duration_ms: 0 },
  );
  assert.deepEqual(twin.calls, [...PLAN, ...UP, ...SWITCH, ...RETIRE, 'endReload']);
  assert.deepEqual([twin.ends.length, twin.ends[0]?.reason], [1, null]);
});

test('B-RELOAD-020, B-WFH-006: the steps are told while it runs and after its end, each with what it took', async () => {
  let release = (): void => undefined;
  const asked = new Promise<void>((resolve) => (release = resolve));
  const twin = reloadTwin(0, { probeEngine: () => asked });
  const run = await stage.reload('told', twin.activities);
  const now = await eventually(
    () => 'the new engine to be looked at',
    async () => {
      const steps = await run.query(operationStepsQuery);
      return steps.at(-1)?.step === 'health' ? steps : undefined;
    },
  );
  assert.deepEqual(
    now.map(({ step, duration_ms }) => [step, duration_ms === null]),
    [...['plan', 'stage', 'start_new'].map((step) => [step, false]), ['health', true]],
  );
  release();
  await run.result();
  const told = await run.query(operationStepsQuery);
  assert.deepEqual(
    told.map(({ step }) => step),
    ['plan', 'stage', 'start_new', 'health', 'publish', 'drain', 'stop_old'],
  );
  assert.ok(told.every(({ duration_ms }) => duration_ms !== null && duration_ms >= 0));
});

test('B-RELOAD-020: an exchange in place that fails tells its rollback as a step', async () => {
  const twin = reloadTwin(0, { awaitEngineReady: failsFirst('HealthTimeout', 'health check failed') });
  const run = await stage.reload('told-back', twin.activities, { strategy: 'in_place' });
  assert.equal((await failed(run)).type, 'HealthTimeout');
  const told = await run.query(operationStepsQuery);
  assert.deepEqual(
    told.map(({ step }) => step),
    ['plan', 'stage', 'drain', 'stop_old', 'start_new', 'health', 'rollback'],
  );
});

test('the old engine is not stopped while its streams go on, however long they take', async () => {
  let looks = 0;
  const twin = reloadTwin(1, {
    awaitLeases: () => (++looks > 200 ? Promise.resolve() : Promise.reject(stillLeased())),
    endLeases: () => Promise.resolve({ final_lease_count: 0 }),
  });
  const { duration_ms } = await (await stage.reload('patient', twin.activities)).result();
  assert.equal(looks, 201);
  assert.ok(duration_ms > 60_000, `${duration_ms} ms`);
});

test('B-DUR-010: with force the old engine ends with the deadline', async () => {
  const twin = reloadTwin(1);
  const { duration_ms, success } = await (
    await stage.reload('forced', twin.activities, { force: true })
  ).result();
  assert.ok(success && duration_ms >= 60_000, `${duration_ms} ms`);
  assert.deepEqual(twin.calls.slice(-4), [...RETIRE, 'endReload']);
});

/** A step that fails once. */
function failsFirst(type: PoolFailureType, message: string): () => Promise<never> {
  let first = true;
  return () => {
    if (!first) return Promise.resolve('/handoff' as never);
    first = false;
    return failing(type, message)();
  };
}

const BESIDE_FAILURES: readonly (readonly [keyof ReloadTwin, string[]])[] = [
  ['spawnEngine', [...UP.slice(0, 1), 'stopEngine r0.next']],
  ['awaitEngineReady', [...UP.slice(0, 2), 'stopEngine r0.next']],
  ['probeEngine', [...UP, 'stopEngine r0.next']],
  ['writeHandoff', [...UP, 'writeHandoff r0 new', 'writeHandoff r0 old', 'stopEngine r0.next']],
  ['switchEngine', [...UP, ...SWITCH, 'writeHandoff r0 old', 'stopEngine r0.next']],
];

for (const [step, calls] of BESIDE_FAILURES) {
  test(`B-RELOAD-011, B-RELOAD-013, B-CP-035: when ${step} fails beside the old engine, that is untouched and nothing of the new one is left`, async () => {
    const twin = reloadTwin(1, { [step]: failsFirst('HealthTimeout', 'health check failed') });
    const failure = await failed(await stage.reload(`beside-${step}`, twin.activities));
    assert.equal(failure.type, 'HealthTimeout');
    assert.equal(failure.message, 'reload failed: health check failed');
    assert.deepEqual(twin.calls, [...PLAN, ...calls, 'endReload']);
    assert.deepEqual(
      twin.ends.map(({ reason, rolled_back, success }) => [reason, rolled_back, success]),
      [['HealthTimeout', true, false]],
    );
  });
}

test('B-RELOAD-016: a model that is not there fails before anything is touched', async () => {
  const twin = reloadTwin(1, { preflight: failing('ModelUnavailable', 'no such file') });
  assert.equal((await failed(await stage.reload('missing', twin.activities))).type, 'ModelUnavailable');
  assert.deepEqual(twin.calls, [...PLAN, 'endReload']);
});

/** No room beside the old engine. */
const crowded: ReloadTwin['preflight'] = (prepared) =>
  prepared.replica_id === 'r0.next'
    ? failing('InsufficientRam', 'not enough memory')()
    : Promise.resolve({ prepared, serving: null });

const DRAINED = ['markPoolReloading', 'awaitLeases r0', 'endLeases r0', 'stopEngine r0'];

test('B-RELOAD-001, B-RELOAD-003, B-RELOAD-004, B-RELOAD-006: without room the old engine is drained and stopped first', async () => {
  const twin = reloadTwin(0, { preflight: crowded });
  const { success } = await (await stage.reload('crowded', twin.activities)).result();
  assert.equal(success, true);
  assert.deepEqual(twin.calls, [
    ...[...PLAN, ...DRAINED, 'preflight r0 new', ...UP_IN_PLACE],
    ...['writeHandoff r0 new', 'markPoolReady r0 new', 'endReload'],
  ]);
});

test('without room a reload that must be beside fails, and touches nothing', async () => {
  const twin = reloadTwin(0, { preflight: crowded });
  const failure = await failed(await stage.reload('must', twin.activities, { strategy: 'beside' }));
  assert.equal(failure.type, 'InsufficientRam');
  assert.deepEqual(twin.calls, [...PLAN, 'endReload']);
});

test('B-RELOAD-014, B-RELOAD-015, C-024: tasks that outlast the deadline give the reload up, the old engine is not touched', async () => {
  const twin = reloadTwin(1);
  const failure = await failed(await stage.reload('late', twin.activities, { strategy: 'in_place' }));
  assert.equal(failure.type, 'DrainTimeout');
  assert.match(failure.message, /drain timeout/);
  assert.deepEqual(twin.calls, [...PLAN, 'markPoolReloading', 'awaitLeases r0', 'endReload']);
});

test('B-RELOAD-014: force ends them instead', async () => {
  const twin = reloadTwin(1);
  const changes = { strategy: 'in_place', force: true } as const;
  assert.equal((await (await stage.reload('pressed', twin.activities, changes)).result()).success, true);
  assert.equal(twin.calls.includes('endLeases r0'), true);
});

test('B-RELOAD-007, C-025, B-CP-031: a new engine that is not healthy is stopped, and the old one is really started again', async () => {
  const twin = reloadTwin(0, {
    probeEngine: ({ prepared }) =>
      prepared.engine_version === 'b5678'
        ? failing('HealthTimeout', 'it generates no token')()
        : Promise.resolve(),
  });
  const failure = await failed(await stage.reload('sick', twin.activities, { strategy: 'in_place' }));
  assert.equal(failure.message, 'reload failed: it generates no token');
  assert.deepEqual(twin.calls, [
    ...[...PLAN, ...DRAINED, 'preflight r0 new', ...UP_IN_PLACE, 'stopEngine r0'],
    ...[...UP_AGAIN, 'writeHandoff r0 old', 'markPoolReady r0 old', 'endReload'],
  ]);
  assert.equal(twin.ends[0]?.rolled_back, true);
});

test('B-RELOAD-017, B-ERROR-023: when the old engine does not come up again either, both errors are told', async () => {
  const twin = reloadTwin(0, {
    awaitEngineReady: ({ prepared }) =>
      failing('EngineExited', prepared.engine_version === 'b5678' ? 'new one exited' : 'old one exited')(),
  });
  const failure = await failed(await stage.reload('lost', twin.activities, { strategy: 'in_place' }));
  assert.equal(failure.type, 'RollbackFailed');
  assert.equal(failure.message, 'reload failed: new one exited; rollback failed: old one exited');
  // Nothing is left of either engine.
  assert.deepEqual(twin.calls.slice(-3), [...UP_AGAIN.slice(1, 2), 'stopEngine r0', 'endReload']);
  const [{ last_error, rolled_back, reason } = {}] = twin.ends;
  assert.deepEqual([rolled_back, reason], [false, 'RollbackFailed']);
  assert.match(last_error ?? '', /new one exited.*old one exited/);
});

test('B-RELOAD-002: a model from elsewhere is fetched first, while the old engine serves', async () => {
  const orders: unknown[] = [];
  const twin = reloadTwin(0);
  const stageModel: CatalogActivities['stageModel'] = (order) => {
    orders.push(order);
    twin.calls.push('stageModel');
    return Promise.resolve({ local_path: '/cache/m.gguf' });
  };
  const run = await stage.reload(
    'fetched',
    { ...twin.activities, stageModel },
    { new_model_ref: 'hf:org/repo/m.gguf' },
  );
  await run.result();
  assert.deepEqual(twin.calls.slice(0, 3), ['stageModel', ...PLAN]);
  assert.deepEqual(orders, [
    { node_id: 'node-1', model_ref: 'hf:org/repo/m.gguf', correlation_id: 'corr-1' },
  ]);
});

test('B-CP-031: a model that cannot be fetched leaves the old engine serving', async () => {
  const twin = reloadTwin(0);
  const stageModel = failing('ModelUnavailable', 'there is no such model (404)');
  const changes = { new_model_ref: 'hf:org/repo/m.gguf' };
  const failure = await failed(await stage.reload('unfetched', { ...twin.activities, stageModel }, changes));
  assert.match(failure.message, /there is no such model \(404\)/);
  assert.deepEqual(twin.calls, ['endReload']);
});

test('a reload has its new engine built while the old one serves, and leaves it serving when that fails', async () => {
  for (const works of [true, false]) {
    const { planEngine, recordEngine, takeEngineStep } = preloadTwin(
      works ? {} : { takeEngineStep: failing('ProvisionFailed', 'git-clone ended with exit code 128') },
    ).activities;
    const planned: unknown[] = [];
    const twin = reloadTwin(0);
    const { planReload } = twin.activities;
    const run = await stage.reload(
      `built-${String(works)}`,
      {
        ...{ ...twin.activities, planEngine, recordEngine, takeEngineStep },
        planReload: (asked) => {
          planned.push(asked.prepared?.binary_path);
          return planReload(asked);
        },
      },
      { prepared: unbuilt(preloadInput('node-1').prepared) },
    );
    if (works) await run.result();
    else assert.match((await failureOf(run)).message, /git-clone ended with exit code 128/);
    assert.deepEqual(planned, works ? [BUILT.path] : []);
    assert.deepEqual(twin.calls.at(-1), 'endReload');
    assert.equal(twin.calls.length > 1, works);
  }
});
