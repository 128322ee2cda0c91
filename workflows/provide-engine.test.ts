import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { EngineStepOrder } from '../contracts/provisioning.js';
import type { PreparedEngine } from '../contracts/pool.js';
import { openPreloadStage, scheduled, ALL_STEPS, type PreloadStage } from '../testing/preload-stage.js';
import { failureOf, TWIN_NODE } from '../testing/twin-stage.js';
import { BUILD_STEPS, BUILT, failing, preloadInput, preloadTwin, unbuilt } from '../testing/preload-twin.js';
import { operationStepsQuery } from './messages.js';

let stage: PreloadStage;
before(async () => {
  stage = await openPreloadStage();
});
after(() => stage.close());

const REMOTE_MODEL = {
  ...{ model_ref: 'hf:org/repo/m.gguf', model_path: '{model_path}', flags: ['--model', '{model_path}'] },
};
const prepared = unbuilt({ ...preloadInput(TWIN_NODE).prepared, engine_version: 'unknown' });

test('B-PROV-001: each step from the source to the engine that runs is told as it is taken', async () => {
  const launched: PreparedEngine[] = [];
  const taken: string[] = [];
  const twin = preloadTwin({
    takeEngineStep: ({ step, engine_id }: EngineStepOrder) => {
      taken.push(`${engine_id} ${step}`);
      return Promise.resolve();
    },
    preflight: (launch) => {
      launched.push(launch);
      return Promise.resolve({ prepared: launch, serving: null });
    },
  });
  const stageModel = () => Promise.resolve({ local_path: '/cache/m.gguf' });
  const run = await stage.preload(
    { ...twin, activities: { ...twin.activities, stageModel } },
    { prepared: { ...prepared, ...REMOTE_MODEL } },
  );
  await run.result();
  const steps = await run.query(operationStepsQuery);
  assert.deepEqual(
    steps.map(({ step }) => step),
    [
      ...['preflight-tools', ...BUILD_STEPS, 'model-fetch', 'preflight', 'run'],
      ...['health', 'probe', 'handoff', 'ready'],
    ],
  );
  assert.deepEqual(
    taken,
    BUILD_STEPS.map((step) => `${BUILT.id} ${step}`),
  );
  const [{ binary_path, provisioning_mode, engine_version, engine_digest, engine_catalog_id } = prepared] =
    launched;
  assert.deepEqual(
    [binary_path, provisioning_mode, engine_version, engine_digest, engine_catalog_id],
    [BUILT.path, 'source', BUILT.version, BUILT.digest, BUILT.id],
  );
});

test('an engine that is there is started at once', async () => {
  const twin = preloadTwin({
    planEngine: () => Promise.resolve({ engine_id: BUILT.id, present: BUILT, steps: [] }),
  });
  const run = await stage.preload(twin, { prepared });
  await run.result();
  assert.deepEqual(await scheduled(run), ['markPoolProvisioning', 'planEngine', ...ALL_STEPS]);
});

test('B-PROV-012: a build that fails fails the preload at its step, with what the node told of it', async () => {
  const said = "cmake-build ended with exit code 2:\nengine.c:1: error: expected ';'";
  const twin = preloadTwin({
    takeEngineStep: (order: EngineStepOrder) =>
      order.step === 'cmake-build' ? failing('ProvisionFailed', said)() : Promise.resolve(),
  });
  const failure = await failureOf(await stage.preload(twin, { prepared }));
  assert.ok(failure instanceof ApplicationFailure);
  assert.deepEqual([failure.type, failure.message], ['ProvisionFailed', `preload failed: ${said}`]);
  assert.equal((failure.details as [{ step: string }])[0].step, 'cmake-build');
  assert.deepEqual(twin.errors, [`preload failed: ${said}`]);
  assert.deepEqual(twin.calls.slice(-2), ['takeEngineStep', 'markPoolFailed']);
});

test('a pool that serves is left alone by a preload whose engine cannot be made', async () => {
  const twin = preloadTwin({
    markPoolProvisioning: () => Promise.resolve(false),
    planEngine: failing('ProvisionFailed', 'tools are missing on the node: cmake'),
  });
  await failureOf(await stage.preload(twin, { prepared }));
  assert.deepEqual(twin.calls, ['markPoolProvisioning', 'planEngine']);
});
