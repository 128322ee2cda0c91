import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { eventually } from '../testing/changes.js';
import { openPreloadStage, type PreloadRun, type PreloadStage } from '../testing/preload-stage.js';
import { failureOf } from '../testing/twin-stage.js';
import { preloadTwin, stillLoading } from '../testing/preload-twin.js';

let stage: PreloadStage;
before(async () => {
  stage = await openPreloadStage();
});
after(() => stage.close());

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
function cancelRequested(run: PreloadRun): Promise<true> {
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

async function assertCancelled(run: PreloadRun): Promise<void> {
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
  const run = await stage.preload(twin);
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
  const run = await stage.preload(twin);
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
  const run = await stage.preload(twin);
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
  const run = await stage.preload(twin);
  await preflight.whenCalled;
  await run.cancel();
  await cancelRequested(run);
  preflight.open();
  await assertCancelled(run);
  assert.deepEqual(twin.calls, ['preflight']);
});
