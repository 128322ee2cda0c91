import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { poolFailure } from '../activities/failures.js';
import type { PoolFailureType } from '../domain/pool-failure.js';
import {
  ALL_STEPS,
  openPreloadStage,
  scheduled,
  tookMs,
  type PreloadStage,
} from '../testing/preload-stage.js';
import { failureOf, TWIN_NODE } from '../testing/twin-stage.js';
import {
  failing,
  preloadInput,
  preloadTwin,
  stillLoading,
  type PreloadActivity,
} from '../testing/preload-twin.js';
import * as attribute from './search-attributes.js';

let stage: PreloadStage;
before(async () => {
  stage = await openPreloadStage();
});
after(() => stage.close());

/** What a failed step leaves to undo, in the order in which it is undone. */
function undosAfter(step: PreloadActivity): PreloadActivity[] {
  const at = ALL_STEPS.indexOf(step);
  return [
    ...(at >= ALL_STEPS.indexOf('writeHandoff') ? (['removeHandoff'] as const) : []),
    ...(at >= ALL_STEPS.indexOf('spawnEngine') ? (['stopEngine'] as const) : []),
    'markPoolFailed',
  ];
}

test('B-PRELOAD-022 B-PRELOAD-025 B-PRELOAD-026: spawn, health, probe, handoff, registry, answer, each once and in this order', async () => {
  const twin = preloadTwin();
  const run = await stage.preload(twin);
  assert.deepEqual(await run.result(), {
    pool_id: 'gpu-0',
    pid: 4_711,
    handoff_path: '/state/engines/gpu-0-r0.json',
  });
  assert.deepEqual(twin.calls, ALL_STEPS);
  assert.deepEqual(await scheduled(run), ALL_STEPS);
});

test('B-PDUR-007 B-WFH-002: an operator finds the run by pool, node, engine, model and correlation id', async () => {
  const run = await stage.preload(preloadTwin());
  await run.result();
  const { typedSearchAttributes: found } = await run.describe();
  assert.equal(found.get(attribute.PoolId), 'gpu-0');
  assert.equal(found.get(attribute.NodeId), TWIN_NODE);
  assert.equal(found.get(attribute.Engine), 'llamacpp');
  assert.equal(found.get(attribute.ModelRef), 'demo');
  assert.equal(found.get(attribute.CorrelationId), 'corr-1');
});

test('B-PRELOAD-011 B-PRELOAD-013 B-PRELOAD-033 B-PDUR-005: 120 s of polls end in a health failure and leave one activity in the history', async () => {
  let polls = 0;
  const twin = preloadTwin({ awaitEngineReady: () => Promise.reject(stillLoading(++polls)) });
  const run = await stage.preload(twin);
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'HealthTimeout');
  assert.match(
    failure.message,
    /^preload failed: health check failed: pool gpu-0 at http:\/\/127\.0\.0\.1:8001\/health/,
  );
  const took = await tookMs(run);
  assert.ok(took >= 119_000 && took < 125_000, `${took} ms`);
  assert.ok(polls > 200 && polls <= 241, `${polls} polls`);
  assert.equal((await scheduled(run)).filter((name) => name === 'awaitEngineReady').length, 1);
  assert.deepEqual(twin.calls.slice(-2), ['stopEngine', 'markPoolFailed']);
  assert.match(twin.errors[0] ?? '', /health check failed/);
});

test("B-PRELOAD-013: the limit of the health wait is the request's", async () => {
  let polls = 0;
  const twin = preloadTwin({ awaitEngineReady: () => Promise.reject(stillLoading(++polls)) });
  const run = await stage.preload(twin, { health_timeout_ms: 5_000 });
  assert.match((await failureOf(run)).message, /health check failed/);
  assert.ok(polls >= 8 && polls <= 11, `${polls} polls`);
});

test('B-PRELOAD-020: an engine that warms up for 5 s is not announced before it is healthy', async () => {
  let polls = 0;
  const twin = preloadTwin({
    awaitEngineReady: () => (++polls > 10 ? Promise.resolve() : Promise.reject(stillLoading(polls))),
  });
  const run = await stage.preload(twin);
  await run.result();
  assert.equal(polls, 11);
  assert.ok((await tookMs(run)) >= 5_000);
  assert.ok(twin.calls.indexOf('writeHandoff') > twin.calls.lastIndexOf('awaitEngineReady'));
  assert.ok(twin.calls.indexOf('markPoolReady') > twin.calls.lastIndexOf('awaitEngineReady'));
});

test('B-PRELOAD-016: an engine that exits fails the preload at once, without another poll', async () => {
  const twin = preloadTwin({
    awaitEngineReady: failing('EngineExited', 'the engine ended with exit code 1'),
  });
  const run = await stage.preload(twin);
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'EngineExited');
  assert.match(failure.message, /preload failed: the engine ended with exit code 1/);
  assert.ok((await tookMs(run)) < 60_000);
  assert.equal(twin.calls.filter((name) => name === 'awaitEngineReady').length, 1);
});

const FAILURES: readonly (readonly [string, PreloadActivity, PoolFailureType, string])[] = [
  ['B-PREFLIGHT-011', 'preflight', 'GpuRequired', 'GPU-only enforcement: nvcc/nvidia-smi not found'],
  ['B-PRELOAD-034', 'markPoolStarting', 'POOL_UNAVAILABLE', 'the registry cannot be used'],
  [
    'B-PRELOAD-036',
    'spawnEngine',
    'SpawnFailed',
    'cannot start /opt/llama-server: EACCES: permission denied',
  ],
  ['B-PRELOAD-035', 'awaitEngineReady', 'HealthTimeout', 'health check failed: 503'],
  ['B-PRELOAD-032', 'probeEngine', 'HealthTimeout', 'health check failed: no token'],
  ['B-PRELOAD-037', 'writeHandoff', 'HandoffWriteFailed', 'the handoff cannot be written'],
  ['B-PRELOAD-034', 'markPoolReady', 'POOL_UNAVAILABLE', 'the registry cannot be used'],
];

for (const [id, step, type, message] of FAILURES) {
  test(`${id} B-ERROR-023: when ${step} fails, all before it is undone in reverse and the error is recorded`, async () => {
    const twin = preloadTwin({ [step]: failing(type, message) });
    const failure = await failureOf(await stage.preload(twin));
    assert.ok(failure instanceof ApplicationFailure);
    assert.equal(failure.type, type);
    assert.equal(failure.message, `preload failed: ${message}`);
    const steps = ALL_STEPS.slice(0, ALL_STEPS.indexOf(step) + 1);
    assert.deepEqual(twin.calls, [...steps, ...undosAfter(step)]);
    assert.deepEqual(twin.errors, [`preload failed: ${message}`]);
  });
}

for (const type of ['POOL_CONFLICT', 'INVALID_PARAMS'] as const) {
  test(`B-API-026: a preload refused with ${type} leaves the pool as it is`, async () => {
    const twin = preloadTwin({ preflight: failing(type, 'another engine runs already') });
    const failure = await failureOf(await stage.preload(twin));
    assert.equal(failure instanceof ApplicationFailure && failure.type, type);
    assert.deepEqual(twin.calls, ['preflight']);
  });
}

test('B-API-026: a pool that serves the same launch already is answered with what runs', async () => {
  const serving = { pool_id: 'gpu-0', pid: 7, handoff_path: '/h.json' };
  const twin = preloadTwin({ preflight: (prepared) => Promise.resolve({ prepared, serving }) });
  assert.deepEqual(await (await stage.preload(twin)).result(), serving);
  assert.deepEqual(twin.calls, ['preflight']);
});

test('B-PDUR-004: a node that nobody polls for fails the preload after 30 s with that reason, and runs nowhere else', async () => {
  const twin = preloadTwin();
  const run = await stage.preload(twin, { node_id: 'node-gone' });
  // The test server skips no time while an activity waits for a worker, so these 30 s are real.
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'POOL_UNAVAILABLE');
  assert.match(failure.message, /node node-gone is not there: it did not take the step "preflight"/);
  const took = await tookMs(run);
  assert.ok(took >= 30_000 && took < 60_000, `${took} ms`);
  assert.deepEqual(twin.calls, []);
});

test('B-PDUR-008: an undo that fails does not keep the others from running, and is told in the error', async () => {
  const twin = preloadTwin({
    writeHandoff: failing('HandoffWriteFailed', 'disk full'),
    stopEngine: failing('StopFailed', 'it outlives SIGKILL'),
  });
  assert.match((await failureOf(await stage.preload(twin))).message, /disk full/); // The first error stays the error.
  assert.deepEqual(twin.calls.slice(-3), ['removeHandoff', 'stopEngine', 'markPoolFailed']);
  assert.deepEqual(twin.errors, ['preload failed: disk full; could not stop the engine']);
});

test('B-PREFLIGHT-024: a shortage that passes while preflight is tried again is none', async () => {
  let tries = 0;
  const full = () => Promise.reject(ApplicationFailure.retryable('full', 'InsufficientVram'));
  const twin = preloadTwin({
    preflight: (prepared) => (++tries < 3 ? full() : Promise.resolve({ prepared, serving: null })),
  });
  await (await stage.preload(twin)).result();
  assert.equal(tries, 3);
});

test('B-PRELOAD-070: a failure that may pass is tried again after 1 s and 2 s, each try seen, and then ends the preload', async () => {
  let tries = 0;
  const full = () => Promise.reject(ApplicationFailure.retryable('full', 'InsufficientRam'));
  const twin = preloadTwin({ preflight: () => (++tries, full()) });
  const run = await stage.preload(twin);
  const failure = await failureOf(run);
  assert.equal(failure instanceof ApplicationFailure && failure.type, 'InsufficientRam');
  assert.equal(tries, 3);
  const { events } = await run.fetchHistory();
  const [started] = (events ?? []).flatMap(({ activityTaskStartedEventAttributes: it }) => it ?? []);
  assert.equal(started?.attempt, 3);
  const took = await tookMs(run);
  assert.ok(took >= 3_000 && took < 30_000, `${took} ms`);
});

test('B-WPRE-005: what preflight read of the memory goes with the spawn, which looks again', async () => {
  const read = { required_bytes: 6, available_bytes: 10 };
  let given: unknown;
  const twin = preloadTwin({
    preflight: (prepared) => Promise.resolve({ prepared, serving: null, ram: read }),
    spawnEngine: (_, ram) => {
      given = ram;
      return Promise.reject(poolFailure('InsufficientRam', 'memory decreased', { pool_id: 'gpu-0' }));
    },
  });
  const failure = await failureOf(await stage.preload(twin));
  assert.equal(failure instanceof ApplicationFailure && failure.type, 'InsufficientRam');
  assert.deepEqual(given, read);
});

test('an answer that was lost does not start the story again: only the step is tried again', async () => {
  let tries = 0;
  const started = { pid: 1, start_ticks: '1', url: 'http://127.0.0.1:1' };
  const twin = preloadTwin({
    spawnEngine: () => (++tries === 1 ? Promise.reject(new Error('reset')) : Promise.resolve(started)),
  });
  await (await stage.preload(twin)).result();
  const twice = ALL_STEPS.flatMap((step) => (step === 'spawnEngine' ? [step, step] : [step]));
  assert.deepEqual(twin.calls, twice);
});

/** A launch whose model has yet to come, as `MODEL_PLACE` says. */
const REMOTE = {
  ...preloadInput(TWIN_NODE).prepared,
  ...{ model_ref: 'hf:org/repo/m.gguf', model_path: '{model_path}', flags: ['--model', '{model_path}'] },
};

test('a model that is elsewhere is fetched first, and the engine is started with the file', async () => {
  const launched: unknown[] = [];
  const ordered: unknown[] = [];
  const twin = preloadTwin({
    preflight: (prepared) => {
      launched.push([prepared.model_path, prepared.flags]);
      return Promise.resolve({ prepared, serving: null });
    },
  });
  const staging = {
    stageModel: (order: unknown) => {
      ordered.push(order);
      return Promise.resolve({ local_path: '/cache/m.gguf' });
    },
  };
  const run = await stage.preload(
    { ...twin, activities: { ...twin.activities, ...staging } },
    { prepared: REMOTE },
  );
  await run.result();
  assert.deepEqual(ordered, [
    { node_id: TWIN_NODE, model_ref: 'hf:org/repo/m.gguf', correlation_id: 'corr-1' },
  ]);
  assert.deepEqual(launched, [['/cache/m.gguf', ['--model', '/cache/m.gguf']]]);
  assert.deepEqual(await scheduled(run), ['markPoolProvisioning', 'stageModel', ...ALL_STEPS]);
});

test('a model that cannot be had fails the preload with its code, before anything is started', async () => {
  const twin = preloadTwin();
  const stageModel = () =>
    Promise.reject(ApplicationFailure.nonRetryable('the server has no such model', 'MODEL_NOT_FOUND'));
  const run = await stage.preload(
    { ...twin, activities: { ...twin.activities, stageModel } },
    { prepared: REMOTE },
  );
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'PRELOAD_FAILED');
  assert.match(failure.message, /preload failed: the server has no such model/);
  const [{ step, cause }] = failure.details as [{ step: string; cause: unknown }];
  assert.deepEqual([step, cause], ['model-fetch', { cause_code: 'MODEL_NOT_FOUND' }]);
  assert.deepEqual(twin.calls, ['markPoolProvisioning', 'markPoolFailed']);
});
