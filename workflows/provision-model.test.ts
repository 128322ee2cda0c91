import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { downloadFailure } from '../activities/model/download-failure.js';
import type { ProvisionInput } from '../contracts/download.js';
import { CONTROL_QUEUE, downloadWorkflowId } from '../domain/identity.js';
import { eventually } from '../testing/changes.js';
import {
  brokenOff,
  modelFile,
  PRESENT,
  provisionInput,
  provisionTwin,
  untilCancelled,
  type ProvisionSteps,
} from '../testing/provision-twin.js';
import { failureOf, openTwinStage, TWIN_NODE, type TwinStage } from '../testing/twin-stage.js';
import { pauseDownloadSignal, provisionQuery, resumeDownloadSignal } from './messages.js';
import type { provisionModel } from './provision-model.js';

let stage: TwinStage;
before(async () => {
  stage = await openTwinStage(['planModel', 'publishModel', 'dropModelParts']);
});
after(() => stage.close());

function provision(modelId: string, activities: ProvisionSteps, changes: Partial<ProvisionInput> = {}) {
  const workflowId = downloadWorkflowId(TWIN_NODE, modelId);
  stage.twins.set(workflowId, activities);
  return stage.workflow.start<typeof provisionModel>('provisionModel', {
    taskQueue: CONTROL_QUEUE,
    workflowId,
    args: [{ ...provisionInput(TWIN_NODE, modelId), ...changes }],
  });
}

const ONE_FILE = ['planModel', 'fetchModelFile m.gguf', 'publishModel', 'recordModel'];

test('B-MODEL-002, B-MODEL-004: what is not there is fetched, put in its place, and noted in the catalogue', async () => {
  const recorded: unknown[] = [];
  const twin = provisionTwin({ recordModel: (model) => Promise.resolve(void recorded.push(model)) });
  const run = await provision('fetched', twin.activities);
  assert.deepEqual(await run.result(), { ...PRESENT, fetched: true });
  assert.deepEqual(twin.calls, ONE_FILE);
  assert.deepEqual(recorded, [PRESENT]);
});

test('B-MODEL-001: what is there is not fetched, and noted all the same; a file of the operator is not', async () => {
  const plan = { present: PRESENT, files: [], is_folder: false };
  const twin = provisionTwin({ planModel: () => Promise.resolve(plan) });
  const run = await provision('there', twin.activities);
  assert.deepEqual(await run.result(), { ...PRESENT, fetched: false });
  assert.deepEqual(twin.calls, ['planModel', 'recordModel']);
  const own = provisionTwin({ planModel: () => Promise.resolve(plan) });
  await (await provision('own', own.activities, { model_ref: 'file:/m.gguf' })).result();
  assert.deepEqual(own.calls, ['planModel']);
});

test('B-MODEL-011, B-MODEL-014: six attempts, with pauses that double, and the last word is the failure', async () => {
  const at: number[] = [];
  const twin = provisionTwin({
    fetchModelFile: () => {
      at.push(Date.now());
      return Promise.reject(brokenOff(40));
    },
  });
  const run = await provision('broken', twin.activities);
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  assert.deepEqual([failure.type, failure.message], ['DOWNLOAD_FAILED', 'the download broke off']);
  assert.equal(at.length, 6);
  const { events } = await run.fetchHistory();
  const pauses = (events ?? []).flatMap(({ timerStartedEventAttributes: it }) =>
    it === null || it === undefined
      ? []
      : Number(it.startToFireTimeout?.seconds) * 1000 + (it.startToFireTimeout?.nanos ?? 0) / 1e6,
  );
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600]);
  // What is there is kept: whoever asks again goes on from it.
  assert.equal(twin.calls.includes('dropModelParts'), false);
  const view = await run.query(provisionQuery);
  assert.deepEqual([view.attempt, view.bytes_part, view.last_error], [6, 40, 'the download broke off']);
});

test('B-MODEL-011: an attempt that succeeds ends the counting; the next file has six of its own', async () => {
  const tried = new Map<string, number>();
  const twin = provisionTwin({
    planModel: () =>
      Promise.resolve({ present: null, files: [modelFile('a'), modelFile('b')], is_folder: true }),
    fetchModelFile: ({ file }) => {
      const nth = (tried.get(file.path) ?? 0) + 1;
      tried.set(file.path, nth);
      return nth < 5
        ? Promise.reject(brokenOff(10))
        : Promise.resolve({ path: file.path, size_bytes: 100, sha256: 'a'.repeat(64) });
    },
  });
  const run = await provision('two', twin.activities);
  await run.result();
  assert.deepEqual(
    [...tried],
    [
      ['a', 5],
      ['b', 5],
    ],
  );
  const { files_done, files_total, bytes_whole, bytes_total } = await run.query(provisionQuery);
  assert.deepEqual([files_done, files_total, bytes_whole, bytes_total], [2, 2, 200, 200]);
});

test('B-MODEL-013, B-MODEL-015, B-MODEL-016: what failed last is what the download fails as; some is not tried again', async () => {
  const rows = [
    ['DOWNLOAD_TIMEOUT', 6],
    ['MODEL_CORRUPTED', 6],
    ['MODEL_NOT_FOUND', 1],
    ['MODEL_ACCESS_DENIED', 1],
    ['INSUFFICIENT_DISK_SPACE', 1],
  ] as const;
  for (const [type, attempts] of rows) {
    const twin = provisionTwin({
      fetchModelFile: () => Promise.reject(downloadFailure(type, `so it is: ${type}`)),
    });
    const failure = await failureOf(await provision(type, twin.activities));
    assert.ok(failure instanceof ApplicationFailure);
    assert.deepEqual([failure.type, failure.message], [type, `so it is: ${type}`]);
    assert.equal(twin.calls.filter((call) => call.startsWith('fetch')).length, attempts, type);
  }
});

test('B-MODEL-019: a disk that is full keeps nothing of the model', async () => {
  const twin = provisionTwin({ fetchModelFile: () => Promise.reject(downloadFailure('DISK_FULL', 'full')) });
  const failure = await failureOf(await provision('full', twin.activities));
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.type, 'DISK_FULL');
  assert.equal(twin.calls.at(-1), 'dropModelParts');
});

test('a list that fails for a moment is asked for again', async () => {
  let asked = 0;
  const twin = provisionTwin({
    planModel: () =>
      (asked += 1) < 3
        ? Promise.reject(brokenOff(0))
        : Promise.resolve({ present: null, files: [modelFile('m.gguf')], is_folder: false }),
  });
  await (await provision('listed', twin.activities)).result();
  assert.deepEqual(twin.calls, ['planModel', 'planModel', ...ONE_FILE]);
});

test('a cancel waits until nothing is written any more, and throws away what was gathered', async () => {
  const twin = provisionTwin({ fetchModelFile: () => untilCancelled() });
  const run = await provision('cancelled', twin.activities);
  await fetching(twin.calls, 1);
  await run.cancel();
  assert.ok((await failureOf(run)) instanceof CancelledFailure);
  assert.deepEqual(twin.calls, ['planModel', 'fetchModelFile m.gguf', 'dropModelParts']);
});

test('a pause ends the attempt and keeps what is there, for as long as it lasts; it costs none of the six', async () => {
  let tried = 0;
  const whole = { path: 'm.gguf', size_bytes: 100, sha256: 'a'.repeat(64) };
  const twin = provisionTwin({
    fetchModelFile: () =>
      (tried += 1) === 1
        ? untilCancelled()
        : tried < 7
          ? Promise.reject(brokenOff(30))
          : Promise.resolve(whole),
  });
  const run = await provision('paused', twin.activities);
  await fetching(twin.calls, 1);
  await run.signal(pauseDownloadSignal);
  const view = await eventually(
    () => 'the pause',
    async () => {
      const now = await run.query(provisionQuery);
      return now.state === 'paused' ? now : undefined;
    },
  );
  assert.deepEqual([view.bytes_part, view.bytes_total, tried], [30, 100, 1]);
  await stage.sleep(3_600_000);
  assert.equal(tried, 1);
  await run.signal(resumeDownloadSignal);
  assert.equal((await run.result()).fetched, true);
  assert.equal(tried, 7);
  assert.equal(twin.calls.includes('dropModelParts'), false);
});

test('a paused download can be cancelled', async () => {
  const twin = provisionTwin({ fetchModelFile: () => untilCancelled() });
  const run = await provision('paused-cancelled', twin.activities);
  await fetching(twin.calls, 1);
  await run.signal(pauseDownloadSignal);
  await eventually(
    () => 'the pause',
    async () => ((await run.query(provisionQuery)).state === 'paused' ? true : undefined),
  );
  await run.cancel();
  assert.ok((await failureOf(run)) instanceof CancelledFailure);
  assert.equal(twin.calls.at(-1), 'dropModelParts');
});

function fetching(calls: readonly string[], times: number): Promise<true> {
  return eventually(
    () => `${times} attempts`,
    () => (calls.filter((call) => call.startsWith('fetchModelFile')).length === times ? true : undefined),
  );
}
