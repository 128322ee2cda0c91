import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { CONTROL_QUEUE, nodeWorkflowId } from '../domain/identity.js';
import { nodeToAdd, registryTwin, unreached } from '../testing/registry-twin.js';
import { testDataConverter, timeSkippingEnvironment } from '../testing/temporal-env.js';
import { failureOf } from '../testing/twin-stage.js';
import { bundleWorkflows } from '../testing/workflow-bundle.js';
import type { addNode } from './add-node.js';
import type { checkNode } from './check-node.js';

let env: TestWorkflowEnvironment;
let workflowBundle: WorkflowBundleWithSourceMap;
before(async () => {
  [env, workflowBundle] = await Promise.all([timeSkippingEnvironment(), bundleWorkflows()]);
});
after(() => env.teardown());

type Story = typeof addNode | typeof checkNode;

/** Plays a story to its end on a control worker that is played by the twin. */
async function play(
  verb: 'add' | 'check',
  { activities }: ReturnType<typeof registryTwin>,
  atEnd: () => void = () => undefined,
) {
  const worker = await Worker.create({
    ...{ connection: env.nativeConnection, dataConverter: testDataConverter, taskQueue: CONTROL_QUEUE },
    ...{ workflowBundle, activities },
  });
  return worker.runUntil(async () => {
    const run = await env.client.workflow.start<Story>(`${verb}Node`, {
      taskQueue: CONTROL_QUEUE,
      workflowId: nodeWorkflowId('gpu-1', verb),
      args: [{ node: nodeToAdd(), correlation_id: 'corr-1' }],
    });
    await run.result().catch(() => undefined); // Some stories are failures.
    atEnd();
    return run;
  });
}

async function applicationFailureOf(run: Parameters<typeof failureOf>[0]): Promise<ApplicationFailure> {
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  return failure;
}

test('B-NODE-002: a node is visited before it is entered', async () => {
  const twin = registryTwin();
  const run = await play('add', twin);
  assert.deepEqual(await run.result(), { round_trip_ms: 2.5, slow: false, installed: true });
  assert.deepEqual(twin.calls, ['visitNode gpu-1', 'enterNode gpu-1']);
});

test('B-NODE-003: a node that does not answer is tried three times, after 200 and 400 ms, and not entered', async () => {
  const triedAtMs: number[] = [];
  const visitNode = async () => {
    triedAtMs.push(await env.currentTimeMs());
    return unreached('SSH_TIMEOUT', true)();
  };
  const twin = registryTwin({ visitNode });
  const failure = await applicationFailureOf(await play('add', twin));
  assert.equal(failure.type, 'SSH_TIMEOUT');
  assert.deepEqual(twin.calls, Array<string>(3).fill('visitNode gpu-1'));
  const [first = 0, second = 0, third = 0] = triedAtMs;
  assert.ok(second - first >= 200 && second - first < 400, String(second - first));
  assert.ok(third - second >= 400 && third - second < 800, String(third - second));
});

test('B-NODE-004, B-SSH-006: a refused key is tried once; the failure has the code of the answer and its facts', async () => {
  const twin = registryTwin({ visitNode: unreached('SSH_CONNECTION_FAILED', false) });
  const failure = await applicationFailureOf(await play('add', twin));
  assert.deepEqual(twin.calls, ['visitNode gpu-1']);
  assert.deepEqual([failure.type, failure.message], ['SSH_CONNECTION_FAILED', 'the node was not reached']);
  const facts = { node_name: 'gpu-1', ssh_host: 'gpu-1.lab', reason: 'as the test says', attempts: 1 };
  assert.deepEqual(failure.details, [facts]);
});

test('a visit that is answered at its third try is a visit', async () => {
  let tries = 0;
  const visitNode = () =>
    ++tries < 3
      ? unreached('SSH_TIMEOUT', true)()
      : Promise.resolve({ round_trip_ms: 1, slow: false, installed: false });
  const twin = registryTwin({ visitNode });
  assert.equal((await (await play('add', twin)).result()).installed, false);
  assert.deepEqual(twin.calls.slice(2), ['visitNode gpu-1', 'enterNode gpu-1']);
});

test('a name that was registered meanwhile, and a registry that cannot be written in time, fail the addition', async () => {
  const taken = registryTwin({ enterNode: unreached('DUPLICATE_NODE', false) });
  assert.equal((await applicationFailureOf(await play('add', taken))).type, 'DUPLICATE_NODE');
  const writes: (() => void)[] = [];
  const away = registryTwin({ enterNode: () => new Promise((resolve) => writes.push(resolve)) });
  const run = await play('add', away, () => writes.forEach((end) => end()));
  const failure = await applicationFailureOf(run);
  assert.deepEqual([failure.type, failure.details], ['STORE_UNAVAILABLE', [{ node_name: 'gpu-1' }]]);
});

test('B-NODE-015: a check notes what came of it, and fails after that', async () => {
  const reached = registryTwin();
  assert.equal((await (await play('check', reached)).result()).round_trip_ms, 2.5);
  assert.deepEqual(reached.calls, ['visitNode gpu-1', 'noteContact gpu-1 reached']);
  const refused = registryTwin({ visitNode: unreached('SSH_CONNECTION_FAILED', false) });
  assert.equal((await applicationFailureOf(await play('check', refused))).type, 'SSH_CONNECTION_FAILED');
  assert.deepEqual(refused.calls, ['visitNode gpu-1', 'noteContact gpu-1 not reached']);
});

test('what the history tells in the open says what is done, and nothing of where the node is', async () => {
  const run = await play('add', registryTwin());
  const history = await run.fetchHistory();
  const { events } = history;
  const summaries = (events ?? []).flatMap(({ userMetadata }) => userMetadata?.summary ?? []);
  assert.equal(summaries.length, 2);
  const text = historyToJSON(history);
  assert.ok(text.includes('visitNode'));
  const blobs = [...text.matchAll(/"data":\s*"([^"]+)"/g)].map(([, data = '']) =>
    Buffer.from(data, 'base64'),
  );
  assert.ok(blobs.length > 0);
  assert.ok(!blobs.some((blob) => blob.includes('gpu-1.lab')) && !text.includes('gpu-1.lab'));
  assert.throws(() => defaultPayloadConverter.fromPayload(summaries[0]!)); // Sealed.
});
