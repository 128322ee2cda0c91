import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { CONTROL_QUEUE, nodeWorkflowId } from '../domain/identity.js';
import { nodeToAdd, registryTwin, unreached } from '../testing/registry-twin.js';
import { testDataConverter, timeSkippingEnvironment } from '../testing/temporal-env.js';
import { failureOf } from '../testing/twin-stage.js';
import { bundleWorkflows } from '../testing/workflow-bundle.js';
import type { installNode } from './install-node.js';
import { operationStepsQuery } from './messages.js';

let env: TestWorkflowEnvironment;
let workflowBundle: WorkflowBundleWithSourceMap;
before(async () => {
  [env, workflowBundle] = await Promise.all([timeSkippingEnvironment(), bundleWorkflows()]);
});
after(() => env.teardown());

/** Plays an installation to its end on a control worker that is played by the twin; with the steps that it told. */
async function play({ activities }: ReturnType<typeof registryTwin>) {
  const worker = await Worker.create({
    ...{ connection: env.nativeConnection, dataConverter: testDataConverter, taskQueue: CONTROL_QUEUE },
    ...{ workflowBundle, activities },
  });
  return worker.runUntil(async () => {
    const run = await env.client.workflow.start<typeof installNode>('installNode', {
      taskQueue: CONTROL_QUEUE,
      workflowId: nodeWorkflowId('gpu-1', 'install'),
      args: [{ node: nodeToAdd(), order: { port: 9_200 }, correlation_id: 'corr-1' }],
    });
    await run.result().catch(() => undefined); // Some stories are failures.
    const steps = (await run.query(operationStepsQuery)).map(({ step }) => step);
    return { run, steps };
  });
}

const STEPS = ['plan', 'reach', 'tools', 'fetch', 'build', 'verify', 'configure', 'start', 'report'];

test('B-SSH-009: a node is reached, looked at, fetched, built, verified, configured, started and heard of, each step told', async () => {
  const twin = registryTwin();
  const { run, steps } = await play(twin);
  assert.deepEqual(await run.result(), {
    ...{ node_name: 'gpu-1', commit: 'c0ffee', version: '1.2.3', worker: 'started' },
  });
  assert.deepEqual(steps, STEPS);
  assert.deepEqual(twin.calls, [
    ...['planInstall', 'visitNode gpu-1', 'noteContact gpu-1 reached', 'lookAtTools', 'fetchSource'],
    ...['buildProgram', 'verifyProgram', 'writeNodeSettings', 'startNodeWorker', 'awaitNodeReport after 7'],
  ]);
});

test('B-SSH-009: what cannot be built is not started, and the failure has the code and the facts of the step', async () => {
  const twin = registryTwin({ buildProgram: unreached('NODE_INSTALL_FAILED', false) });
  const { run, steps } = await play(twin);
  const failure = await failureOf(run);
  assert.ok(failure instanceof ApplicationFailure);
  const [facts] = failure.details as [{ node_name: string; reason: string }];
  assert.deepEqual(
    [failure.type, facts.node_name, facts.reason],
    ['NODE_INSTALL_FAILED', 'gpu-1', 'as the test says'],
  );
  assert.deepEqual(steps, STEPS.slice(0, 5));
  assert.equal(twin.calls.at(-1), 'buildProgram');
});

test('a connection that breaks in a step is made again; the step is carried out again', async () => {
  let tries = 0;
  const fetchSource = () =>
    ++tries < 3 ? unreached('SSH_TIMEOUT', true)() : Promise.resolve({ commit: 'f00d' });
  const twin = registryTwin({ fetchSource });
  const { run } = await play(twin);
  assert.equal((await run.result()).commit, 'f00d');
  assert.equal(twin.calls.filter((call) => call === 'fetchSource').length, 3);
});
