import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { type WorkflowHandleWithFirstExecutionRunId, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  Worker,
  bundleWorkflowCode,
  DefaultLogger,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { PreloadPoolInput } from '../contracts/pool.js';
import { CONTROL_QUEUE, nodeQueue } from '../domain/identity.js';
import type { PoolFailureType } from '../domain/pool-failure.js';
import {
  failing,
  preloadInput,
  preloadTwin,
  stillLoading,
  type PreloadActivity,
} from '../testing/preload-twin.js';
import { createLogger } from '../telemetry/logger.js';
import { eventually } from '../testing/changes.js';
import { installTemporalRuntime } from '../workers/temporal.js';
import { testDataConverter, timeSkippingEnvironment } from '../testing/temporal-env.js';
import type { preloadPool } from './preload-pool.js';
import * as attribute from './search-attributes.js';

type Run = WorkflowHandleWithFirstExecutionRunId<typeof preloadPool>;
type Twin = ReturnType<typeof preloadTwin>;

const ALL_STEPS: PreloadActivity[] = [
  ...(['preflight', 'markPoolStarting', 'spawnEngine', 'awaitEngineReady'] as const),
  ...(['probeEngine', 'writeHandoff', 'markPoolReady'] as const),
];

const ALL_ACTIVITIES: PreloadActivity[] = [...ALL_STEPS, 'removeHandoff', 'stopEngine', 'markPoolFailed'];

const NODE = 'node-1';

let env: TestWorkflowEnvironment;
let workers: Promise<void>[];
let stopWorkers: () => void;
let runNumber = 0;
/** The twin of each run, by workflow id: what one test leaves cannot answer another. */
const twins = new Map<string, Twin>();

before(async () => {
  installTemporalRuntime(createLogger('test', 'silent'));
  env = await timeSkippingEnvironment();
  const shared = { connection: env.nativeConnection, dataConverter: testDataConverter };
  const control = await Worker.create({
    ...shared,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: await bundle(),
  });
  const node = await Worker.create({
    ...shared,
    taskQueue: nodeQueue(NODE),
    activities: Object.fromEntries(
      ALL_ACTIVITIES.map((name) => [name, (input: unknown) => answer(name, input)]),
    ),
    maxHeartbeatThrottleInterval: 100,
  });
  workers = [control.run(), node.run()];
  stopWorkers = () => [control, node].forEach((worker) => worker.shutdown());
});

after(async () => {
  stopWorkers();
  await Promise.all(workers);
  await env.teardown();
});

function bundle(): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./preload-pool.ts', import.meta.url)),
    failureConverterPath: fileURLToPath(new URL('./parts/failure-converter.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR', () => undefined),
  });
}

/** Hands an activity to the twin of its run. */
function answer(name: PreloadActivity, input: unknown): Promise<unknown> {
  const twin = twins.get(Context.current().info.workflowExecution?.workflowId ?? '');
  const activity = twin?.activities[name] as ((given: unknown) => Promise<unknown>) | undefined;
  return activity?.(input) ?? Promise.reject(new Error('no twin'));
}

/** Starts a preload over the twin. */
async function preload(twin: Twin, changes: Partial<PreloadPoolInput> = {}): Promise<Run> {
  const workflowId = `pool:gpu-${++runNumber}:preload`;
  twins.set(workflowId, twin);
  return env.client.workflow.start<typeof preloadPool>('preloadPool', {
    taskQueue: CONTROL_QUEUE,
    workflowId,
    args: [preloadInput(NODE, changes)],
  });
}

/** Between start and end of a run by the server's clock; the clock itself jumps on once nothing runs. */
async function tookMs(run: Run): Promise<number> {
  const { startTime, closeTime } = await run.describe();
  assert.ok(closeTime);
  return closeTime.getTime() - startTime.getTime();
}

async function failureOf(run: Run): Promise<Error> {
  const err = await run.result().then(
    () => assert.fail('the preload succeeded'),
    (cause: unknown) => cause,
  );
  assert.ok(err instanceof WorkflowFailedError && err.cause);
  return err.cause;
}

async function scheduled(run: Run): Promise<string[]> {
  const { events } = await run.fetchHistory();
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: it }) => it?.activityType?.name ?? [],
  );
}

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
  const run = await preload(twin);
  assert.deepEqual(await run.result(), {
    pool_id: 'gpu-0',
    pid: 4_711,
    handoff_path: '/state/engines/gpu-0-r0.json',
  });
  assert.deepEqual(twin.calls, ALL_STEPS);
  assert.deepEqual(await scheduled(run), ALL_STEPS);
});

test('B-PDUR-007 B-WFH-002: an operator finds the run by pool, node, engine, model and correlation id', async () => {
  const run = await preload(preloadTwin());
  await run.result();
  const { typedSearchAttributes: found } = await run.describe();
  assert.equal(found.get(attribute.PoolId), 'gpu-0');
  assert.equal(found.get(attribute.NodeId), NODE);
  assert.equal(found.get(attribute.Engine), 'llamacpp');
  assert.equal(found.get(attribute.ModelRef), 'demo');
  assert.equal(found.get(attribute.CorrelationId), 'corr-1');
});

test('B-PRELOAD-011 B-PRELOAD-013 B-PRELOAD-033 B-PDUR-005: 120 s of polls end in a health failure and leave one activity in the history', async () => {
  let polls = 0;
  const twin = preloadTwin({ awaitEngineReady: () => Promise.reject(stillLoading(++polls)) });
  const run = await preload(twin);
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
  const run = await preload(twin, { health_timeout_ms: 5_000 });
  assert.match((await failureOf(run)).message, /health check failed/);
  assert.ok(polls >= 8 && polls <= 11, `${polls} polls`);
});

test('B-PRELOAD-020: an engine that warms up for 5 s is not announced before it is healthy', async () => {
  let polls = 0;
  const twin = preloadTwin({
    awaitEngineReady: () => (++polls > 10 ? Promise.resolve() : Promise.reject(stillLoading(polls))),
  });
  const run = await preload(twin);
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
  const run = await preload(twin);
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'EngineExited');
  assert.match(failure.message, /preload failed: the engine ended with exit code 1/);
  assert.ok((await tookMs(run)) < 60_000);
  assert.equal(twin.calls.filter((name) => name === 'awaitEngineReady').length, 1);
});

const FAILURES: readonly (readonly [PreloadActivity, PoolFailureType, string])[] = [
  ['preflight', 'GpuRequired', 'GPU-only enforcement: nvcc/nvidia-smi not found'],
  ['markPoolStarting', 'POOL_UNAVAILABLE', 'the registry cannot be used'],
  ['spawnEngine', 'SpawnFailed', 'cannot start /opt/llama-server: EACCES: permission denied'],
  ['awaitEngineReady', 'HealthTimeout', 'health check failed: 503'],
  ['probeEngine', 'HealthTimeout', 'health check failed: no token'],
  ['writeHandoff', 'HandoffWriteFailed', 'the handoff cannot be written'],
  ['markPoolReady', 'POOL_UNAVAILABLE', 'the registry cannot be used'],
];

for (const [step, type, message] of FAILURES) {
  test(`B-PRELOAD-034 B-PRELOAD-035 B-PRELOAD-036 B-PRELOAD-037 B-ERROR-023: when ${step} fails, all before it is undone in reverse and the error is recorded`, async () => {
    const twin = preloadTwin({ [step]: failing(type, message) });
    const failure = await failureOf(await preload(twin));
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
    const failure = await failureOf(await preload(twin));
    assert.equal(failure instanceof ApplicationFailure && failure.type, type);
    assert.deepEqual(twin.calls, ['preflight']);
  });
}

test('B-API-026: a pool that serves the same launch already is answered with what runs', async () => {
  const serving = { pool_id: 'gpu-0', pid: 7, handoff_path: '/h.json' };
  const twin = preloadTwin({ preflight: (prepared) => Promise.resolve({ prepared, serving }) });
  assert.deepEqual(await (await preload(twin)).result(), serving);
  assert.deepEqual(twin.calls, ['preflight']);
});

test('B-PDUR-004: a node that nobody polls for fails the preload after 30 s with that reason, and runs nowhere else', async () => {
  const twin = preloadTwin();
  const run = await preload(twin, { node_id: 'node-gone' });
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
  assert.match((await failureOf(await preload(twin))).message, /disk full/); // The first error stays the error.
  assert.deepEqual(twin.calls.slice(-3), ['removeHandoff', 'stopEngine', 'markPoolFailed']);
  assert.deepEqual(twin.errors, ['preload failed: disk full; could not stop the engine']);
});

test('B-PREFLIGHT-024: a shortage that passes while preflight is tried again is none', async () => {
  let tries = 0;
  const full = () => Promise.reject(ApplicationFailure.retryable('full', 'InsufficientVram'));
  const twin = preloadTwin({
    preflight: (prepared) => (++tries < 3 ? full() : Promise.resolve({ prepared, serving: null })),
  });
  await (await preload(twin)).result();
  assert.equal(tries, 3);
});

test('an answer that was lost does not start the story again: only the step is tried again', async () => {
  let tries = 0;
  const started = { pid: 1, start_ticks: '1', url: 'http://127.0.0.1:1' };
  const twin = preloadTwin({
    spawnEngine: () => (++tries === 1 ? Promise.reject(new Error('reset')) : Promise.resolve(started)),
  });
  await (await preload(twin)).result();
  const twice = ALL_STEPS.flatMap((step) => (step === 'spawnEngine' ? [step, step] : [step]));
  assert.deepEqual(twin.calls, twice);
});

// Cancels come last: an activity whose cancel the test server has not settled keeps it from skipping time.

/** A step that waits until the test says so; `whenCalled` tells that it has begun. */
function gate() {
  let open: () => void = () => undefined;
  let called: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const whenCalled = new Promise<void>((resolve) => (called = resolve));
  const pass = (): Promise<void> => {
    called();
    return opened;
  };
  return { pass, open, whenCalled };
}

/** Waits until the workflow has passed the cancel on; the test server loses an activity's answer that comes just then. */
function cancelRequested(run: Run): Promise<true> {
  return eventually(
    () => 'the cancel to be passed on',
    async () => {
      const { events } = await run.fetchHistory();
      return events?.some((event) => event.activityTaskCancelRequestedEventAttributes) === true
        ? true
        : undefined;
    },
  );
}

async function assertCancelled(run: Run): Promise<void> {
  assert.ok((await failureOf(run)) instanceof CancelledFailure);
  assert.equal((await run.describe()).status.name, 'CANCELLED');
}

test('B-PRELOAD-071: a cancel during the health wait cleans up as a failure does', async () => {
  const health = gate();
  const twin = preloadTwin({
    awaitEngineReady: () => {
      void health.pass();
      return Promise.reject(stillLoading(1));
    },
  });
  const run = await preload(twin);
  await health.whenCalled;
  await run.cancel();
  await assertCancelled(run);
  assert.deepEqual(twin.calls.slice(-2), ['stopEngine', 'markPoolFailed']);
  assert.equal(twin.calls.includes('probeEngine'), false);
  assert.deepEqual(twin.errors, ['preload cancelled during the step "health"']);
});

test('B-PRELOAD-071: a cancel during the spawn waits for the spawn, then stops what it started', async () => {
  const spawn = gate();
  const twin = preloadTwin({
    spawnEngine: async () => {
      await spawn.pass();
      return { pid: 1, start_ticks: '1', url: 'http://127.0.0.1:1' };
    },
  });
  const run = await preload(twin);
  await spawn.whenCalled;
  await run.cancel();
  await cancelRequested(run);
  spawn.open();
  await assertCancelled(run);
  assert.deepEqual(twin.calls.slice(2), ['spawnEngine', 'stopEngine', 'markPoolFailed']);
});

test('B-PRELOAD-071 B-PDUR-002: a cancel reaches a probe that waits for its token', async () => {
  const probe = gate();
  const twin = preloadTwin({
    probeEngine: async () => {
      void probe.pass();
      const beat = setInterval(() => Context.current().heartbeat(), 50);
      await Context.current().cancelled.finally(() => clearInterval(beat));
    },
  });
  const run = await preload(twin);
  await probe.whenCalled;
  await run.cancel();
  await assertCancelled(run);
  assert.deepEqual(twin.calls.slice(-2), ['stopEngine', 'markPoolFailed']);
});

test('B-PRELOAD-071: a cancel during preflight leaves the pool as it is, for nothing was done', async () => {
  const preflight = gate();
  const twin = preloadTwin({
    preflight: async (prepared) => {
      await preflight.pass();
      return { prepared, serving: null };
    },
  });
  const run = await preload(twin);
  await preflight.whenCalled;
  await run.cancel();
  await cancelRequested(run);
  preflight.open();
  await assertCancelled(run);
  assert.deepEqual(twin.calls, ['preflight']);
});
