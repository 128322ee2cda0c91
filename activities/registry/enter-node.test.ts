import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createNodes } from '../../store/nodes.js';
import { openStore } from '../../store/open-store.js';
import { nodeToAdd } from '../../testing/registry-twin.js';
import { enterNodeActivity } from './enter-node.js';

test('a node is entered once; a second try finds its own work, and another node of the name is a duplicate', async (t) => {
  const { db, close } = await openStore({ folder: ':memory:' });
  t.after(close);
  const nodes = createNodes({ db, now: () => 1_000 });
  const enterNode = enterNodeActivity({ nodes, log: { info: () => undefined } });
  const enter = (attempt: number, node = nodeToAdd()) =>
    new MockActivityEnvironment({ attempt }).run(enterNode, { node });
  const isDuplicate = (err: unknown) =>
    err instanceof ApplicationFailure && err.type === 'DUPLICATE_NODE' && err.nonRetryable === true;
  await enter(1);
  await assert.rejects(enter(1), isDuplicate);
  await enter(2);
  await assert.rejects(enter(2, nodeToAdd({ ssh_host: 'elsewhere' })), isDuplicate);
  assert.deepEqual(
    (await nodes.list()).map(({ ssh_host }) => ssh_host),
    ['gpu-1.lab'],
  );
});
