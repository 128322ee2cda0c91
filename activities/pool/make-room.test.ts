import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { PreparedEngine } from '../../contracts/pool.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';

/** A node that may have so many pools loaded. */
const nodeFor = (t: TestContext, maxLoadedPools: number | null) => poolNode(t, { maxLoadedPools });

/** Somebody waits for a pool on demand that sleeps. */
async function wanted(node: PoolNode, pool_id = 'wanted'): Promise<PreparedEngine> {
  const prepared = await node.prepared([], { pool_id, on_demand: true });
  await node.run('markPoolAsleep', prepared);
  node.pools.ensure(pool_id).scheduler.enqueue('waits', 'interactive');
  return prepared;
}

/** A pool that serves, without any process. */
async function serves(
  node: PoolNode,
  pool_id: string,
  launch: Partial<PreparedEngine> = { on_demand: true },
) {
  const prepared = await node.prepared([], { pool_id, ...launch });
  node.pools.ready({ prepared, url: 'http://127.0.0.1:1', pid: null, startTicks: null });
  return () => node.pools.status(pool_id)?.state;
}

/** Takes its slot. */
function lease({ pools }: PoolNode, poolId: string): () => void {
  const { scheduler } = pools.ensure(poolId);
  scheduler.enqueue('busy', 'interactive');
  scheduler.pump();
  return () => scheduler.release('busy');
}

test('below the limit nobody goes, and the room is promised to one pool', async (t) => {
  const node = await nodeFor(t, 2);
  const state = await serves(node, 'other');
  const [one, next] = [await wanted(node, 'one'), await wanted(node, 'next')];
  assert.deepEqual(await node.run('makeRoom', one), { room: 'free' });
  assert.equal(state(), 'ready');
  assert.deepEqual(
    node.pools.loaded().map(({ poolId }) => poolId),
    ['other', 'one'],
  );
  assert.deepEqual(await node.run('makeRoom', next), { room: 'free' });
  assert.equal(state(), 'asleep', 'what is promised counts');
});

test('the idle pool that was used least recently goes, with a line of the log that says for whom', async (t) => {
  const node = await nodeFor(t, 2);
  const [busy, idle] = [await serves(node, 'a-busy'), await serves(node, 'b-idle')];
  lease(node, 'a-busy');
  assert.deepEqual(await node.run('makeRoom', await wanted(node)), { room: 'free' });
  assert.deepEqual([busy(), idle()], ['ready', 'asleep']);
  const slept = node.logged.filter(({ event, pool_id }) => event === 'pool_asleep' && pool_id === 'b-idle');
  assert.deepEqual(
    slept.map(({ reason }) => reason),
    ['pool wanted needs its room'],
  );
});

test('a busy pool is waited for', async (t) => {
  const node = await nodeFor(t, 1);
  const state = await serves(node, 'busy');
  const release = lease(node, 'busy');
  let made = false;
  const room = node.run('makeRoom', await wanted(node)).then((answer) => {
    made = true;
    return answer;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual([made, state()], [false, 'ready']);
  release();
  assert.deepEqual([await room, state()], [{ room: 'free' }, 'asleep']);
});

test('pools that may not sleep make no room, and the one who waits is told so', async (t) => {
  const node = await nodeFor(t, 1);
  const state = await serves(node, 'pinned', {});
  const answer = await node.run('makeRoom', await wanted(node));
  assert.deepEqual([answer.room, state()], ['none', 'ready']);
  assert.match('message' in answer ? answer.message : '', /may have 1 pools loaded, and has pinned/);
});

test('where nobody waits any more no pool goes', async (t) => {
  const node = await nodeFor(t, 1);
  const state = await serves(node, 'other');
  const prepared = await wanted(node);
  node.pools.ensure('wanted').scheduler.remove('waits');
  assert.deepEqual(await node.run('makeRoom', prepared), { room: 'unwanted' });
  assert.equal(state(), 'ready');
});

test('a pool that has been idle for as long as it may is put to sleep, one that has a task or an offer is not', async (t) => {
  const node = await nodeFor(t, null);
  const state = await serves(node, 'idle', { idle_ttl_ms: 1 });
  const sleep = () => node.run('putToSleep', { pool_id: 'idle', reason: 'idle' });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const release = lease(node, 'idle');
  assert.deepEqual(await sleep(), { asleep: false });
  release();
  const pool = node.pools.ensure('idle');
  pool.offers = 1;
  assert.deepEqual([await sleep(), state()], [{ asleep: false }, 'ready']);
  pool.offers = 0;
  assert.deepEqual([await sleep(), state()], [{ asleep: true }, 'asleep']);
});
