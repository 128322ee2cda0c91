import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { WatchedEngine } from '../activities/pool/watch-engine.js';
import { failing, preloadInput, preloadTwin, type PreloadTwin } from '../testing/preload-twin.js';
import { openSupervisionStage, type SupervisionStage } from '../testing/supervision-stage.js';
import { stillServes, TWIN_NODE, type PlayedActivities } from '../testing/twin-stage.js';
import { poolDrainedSignal } from './messages.js';

let stage: SupervisionStage;
before(async () => {
  stage = await openSupervisionStage();
});
after(() => stage.close());

/** The launch of a pool that sleeps. */
const launchOf = (pool_id: string) => ({ ...preloadInput(TWIN_NODE).prepared, pool_id, on_demand: true });
/** The same, with a model that is elsewhere. */
const remoteOf = (pool_id: string) => ({
  ...launchOf(pool_id),
  ...{ model_ref: 'hf:org/repo/m.gguf', model_path: '{model_path}', flags: ['--model', '{model_path}'] },
});

/** A node that sees these one after the other, and then an engine that serves. */
function sleepyTwin(seen: readonly WatchedEngine[], changes: Partial<PreloadTwin> & PlayedActivities = {}) {
  const calls: unknown[] = [];
  const left = [...seen];
  const note = (name: string, answer: unknown) => (input: unknown) => {
    calls.push([name, input]);
    return Promise.resolve(answer);
  };
  const preload = preloadTwin(changes);
  const activities = {
    ...preload.activities,
    watchEngine: () => {
      const next = left.shift();
      return next === undefined ? stillServes() : Promise.resolve(next);
    },
    putToSleep: note('putToSleep', { asleep: true }),
    makeRoom: note('makeRoom', { room: 'free' }),
    failWaiting: note('failWaiting', { failed: 1 }),
    markPoolAsleep: note('markPoolAsleep', undefined),
    ...Object.fromEntries(Object.entries(changes).filter(([name]) => !(name in preload.activities))),
  } as PlayedActivities;
  return { activities, calls, loads: () => preload.calls.filter((name) => name === 'spawnEngine').length };
}

/** Supervises until it has seen all, and watches what came of it. */
async function seenOut(pool: string, twin: ReturnType<typeof sleepyTwin>, reached: () => boolean) {
  const run = await stage.supervise(pool, twin);
  await stage.until(run, ({ step }) => step === 'watch' && reached());
  return run;
}

test('the idle engine of a pool is stopped, and a task that waits has it loaded again, once for all of them', async () => {
  const prepared = launchOf('slept');
  const twin = sleepyTwin([
    { crash: null, idle: true },
    { crash: null, wanted: prepared },
  ]);
  await seenOut('slept', twin, () => twin.loads() === 1);
  assert.deepEqual(twin.calls, [
    ['putToSleep', { pool_id: 'slept', reason: 'idle' }],
    ['makeRoom', prepared],
  ]);
  const preload = await stage.workflow.getHandle('pool:slept:preload').describe();
  assert.equal(preload.status.name, 'COMPLETED');
});

test('a model that is elsewhere is fetched first, and the node is told where it is, before room is made for it', async () => {
  const launched: string[] = [];
  const ordered: unknown[] = [];
  const twin = sleepyTwin([{ crash: null, wanted: remoteOf('fetched') }], {
    stageModel: (order) => {
      ordered.push([order.node_id, order.model_ref]);
      return Promise.resolve({ local_path: '/cache/m.gguf' });
    },
    preflight: (prepared) => {
      launched.push(prepared.model_path);
      return Promise.resolve({ prepared, serving: null });
    },
  });
  await seenOut('fetched', twin, () => twin.loads() === 1);
  const there = { ...remoteOf('fetched'), model_path: '/cache/m.gguf', flags: ['--model', '/cache/m.gguf'] };
  assert.deepEqual(ordered, [[TWIN_NODE, 'hf:org/repo/m.gguf']]);
  assert.deepEqual(twin.calls, [
    ['markPoolAsleep', there],
    ['makeRoom', there],
  ]);
  assert.deepEqual(launched, ['/cache/m.gguf']);
});

test('whatever stands in the way of a load is told to the tasks that wait, with its code', async () => {
  const failures: [string, Partial<PreloadTwin> & PlayedActivities, string][] = [
    ['exits', { awaitEngineReady: failing('EngineExited', 'exit code 1') }, 'EngineExited'],
    ['full', { makeRoom: () => Promise.resolve({ room: 'none', message: 'no room' }) }, 'NO_ROOM'],
    [
      'unfetched',
      {
        stageModel: () => Promise.reject(ApplicationFailure.nonRetryable('no such model', 'MODEL_NOT_FOUND')),
      },
      'MODEL_NOT_FOUND',
    ],
  ];
  for (const [pool, changes, code] of failures) {
    const wanted = pool === 'unfetched' ? remoteOf(pool) : launchOf(pool);
    const twin = sleepyTwin([{ crash: null, wanted }], changes);
    const told = () =>
      twin.calls.flatMap((call) => {
        const [name, input] = call as [string, { cause_code: string }];
        return name === 'failWaiting' ? [input.cause_code] : [];
      });
    await seenOut(pool, twin, () => told().length > 0);
    assert.deepEqual(told(), [code], pool);
  }
});

test('where nobody waits any more nothing is loaded', async () => {
  let asked = 0;
  const twin = sleepyTwin([{ crash: null, wanted: launchOf('left') }], {
    makeRoom: () => {
      asked += 1;
      return Promise.resolve({ room: 'unwanted' });
    },
  });
  await seenOut('left', twin, () => asked === 1);
  assert.deepEqual([twin.loads(), twin.calls], [0, []]);
});

test('a pool that is drained while its model is fetched stays drained', async () => {
  let come: (found: { local_path: string }) => void = () => undefined;
  const fetched = new Promise<{ local_path: string }>((resolve) => (come = resolve));
  const twin = sleepyTwin([{ crash: null, wanted: remoteOf('drained') }], { stageModel: () => fetched });
  const run = await stage.supervise('drained', twin);
  await stage.until(run, ({ step }) => step === 'wake');
  await run.signal(poolDrainedSignal);
  come({ local_path: '/cache/m.gguf' });
  await stage.until(run, ({ step }) => step === 'off');
  assert.deepEqual([twin.loads(), twin.calls], [0, []]);
});
