import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolNode } from '../../testing/pool-node.js';

test('B-POOL-002: a pool whose engine or model is on its way is provisioning, neither live nor ready', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  assert.equal(await node.run('markPoolProvisioning', prepared), true);
  const { state, live, ready } = node.pools.status('gpu-0') ?? {};
  assert.deepEqual({ state, live, ready }, { state: 'provisioning', live: false, ready: false });
});

test('a pool that has an engine, or is about to, is not shown otherwise', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  node.pools.starting(prepared);
  assert.equal(await node.run('markPoolProvisioning', prepared), false);
  assert.equal(node.pools.status('gpu-0')?.state, 'starting');
});

test('what a pool is made ready for has its devices from the beginning', async (t) => {
  const node = await poolNode(t);
  const wish = { backend: 'cuda', device_mask: '0' } as const;
  await node.run('markPoolProvisioning', await node.prepared([], wish));
  const other = await node.prepared([], { ...wish, pool_id: 'gpu-1' });
  await assert.rejects(node.run('markPoolProvisioning', other), { type: 'POOL_CONFLICT' });
  assert.equal(node.pools.status('gpu-1'), undefined);
});
