import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { eventually } from '../../testing/changes.js';
import { nodesOfTests, offerOf, type TestNode } from '../../testing/test-node.js';

const aNode = nodesOfTests();

/** A node whose slots are all taken by confirmed tasks `t0`, `t1`, … */
async function busyNode(slots: number): Promise<TestNode> {
  const node = await aNode({ slots });
  for (let index = 0; index < slots; index += 1) {
    await node.runs.attach(offerOf(`t${index}`));
    await node.engine.asked(index + 1);
  }
  return node;
}

/** Waits until so many tasks hold a slot: it is given back a moment after a task has ended. */
function leases(node: TestNode, count: number): Promise<true> {
  const held = () => node.pools.leases('default').length;
  return eventually(
    () => `${count} leases instead of ${held()}`,
    () => (held() === count ? true : undefined),
  );
}

const ended = (node: TestNode, taskId: string) => node.runs.waitForEnd(taskId, AbortSignal.timeout(5_000));

test('B-DRAIN-001, B-DRAIN-002, B-CP-024, B-POOL-005, C-028: a draining pool shows it, and refuses new work in so many words', async () => {
  const node = await busyNode(1);
  node.pools.draining('default');
  const status = node.pools.status('default');
  assert.deepEqual(
    [status?.state, status?.draining, status?.live, status?.ready],
    ['draining', true, true, false],
  );
  await assert.rejects(node.runs.offer(offerOf('late')), (err: unknown) => {
    assert.ok(err instanceof DroverError);
    assert.equal(err.code, 'POOL_UNREADY');
    assert.match(err.message, /draining/);
    return true;
  });
  assert.equal(node.runs.get('late'), undefined);
  assert.deepEqual(node.pools.leases('default'), ['t0']);
});

test('B-DRAIN-003: running tasks go on to their own ends, the count falls with each, the flag stays', async () => {
  const node = await busyNode(2);
  node.pools.draining('default');
  node.engine.say('one');
  node.engine.finish('EOS');
  const first = await Promise.race(['t0', 't1'].map((id) => ended(node, id)));
  assert.equal(first.state, 'completed');
  await leases(node, 1);
  const status = node.pools.status('default');
  assert.deepEqual([status?.active_leases, status?.draining], [1, true]);
});

test('a task that waits in a draining pool stays there, and runs when the drain is called off', async () => {
  const node = await busyNode(1);
  await node.runs.attach(offerOf('waits'));
  node.pools.draining('default');
  node.engine.finish('EOS');
  await ended(node, 't0');
  await leases(node, 0);
  assert.deepEqual([node.engine.requests.length, node.runs.mustView('waits').queue_position], [1, 0]);
  assert.equal(node.pools.serving('default'), true);
  await node.engine.asked(2);
  assert.equal(node.pools.status('default')?.ready, true);
});

test('B-DRAIN-005: a reset task ends with WORKER_RESET, its slot is free, and one that has ended is left alone', async () => {
  const node = await busyNode(1);
  node.engine.say('one');
  await node.engine.heard();
  await node.runs.reset('t0', 'the pool was drained before the task ended');
  const { state, error } = node.runs.mustView('t0');
  assert.deepEqual([state, error?.code, error?.retriable], ['failed', 'WORKER_RESET', true]);
  assert.match(error?.message ?? '', /drained/);
  assert.equal(node.runs.mustGet('t0').framesFrom(0).at(-1)?.type, 'error');
  assert.deepEqual(node.pools.leases('default'), []);
  await node.runs.reset('t0', 'again');
  await node.runs.reset('nobody', 'again');
  assert.equal(node.runs.mustView('t0').error?.message, error?.message);
});

test('B-DRAIN-012: what ran when the worker died goes on in the draining pool of the next one, what waited does not', async () => {
  const first = await busyNode(1);
  await first.runs.attach(offerOf('waits'));
  first.engine.say('one');
  await first.engine.heard();
  await first.crash();
  const next = await aNode({ runsDir: first.runsDir, slots: 0 });
  next.pools.adopted({ ...first.pools.engines()[0]! }, true);
  await next.engine.asked(1);
  assert.deepEqual(next.pools.leases('default'), ['t0']);
  assert.equal(next.pools.status('default')?.draining, true);
  next.engine.finish('EOS');
  assert.equal((await ended(next, 't0')).state, 'completed');
  await leases(next, 0);
  assert.deepEqual([next.engine.requests.length, next.runs.mustView('waits').queue_position], [1, 0]);
});

test('B-DRAIN-012: a worker that ends gives no lease back, so that no drain takes its tasks for ended', async () => {
  const node = await busyNode(2);
  node.pools.draining('default');
  await node.crash();
  assert.equal(node.pools.leases('default').length, 2);
});

test('B-DRAIN-016, B-DRAIN-007, C-026: a drained pool is offline; a later preload finds no draining flag', async () => {
  const node = await aNode();
  node.pools.draining('default');
  node.pools.release('default');
  node.pools.offline('default');
  const off = node.pools.status('default');
  assert.deepEqual([off?.state, off?.live, off?.ready, off?.draining], ['offline', false, false, false]);
  node.open(1);
  assert.equal(node.pools.status('default')?.draining, false);
  await node.runs.attach(offerOf('t'));
  await node.engine.asked(1);
});

test('B-CP-041, OC-POOL-3106: a task that waited for a purged pool ends, and what is told of it does not bring the pool back', async () => {
  const node = await busyNode(1);
  await node.runs.attach(offerOf('waits'));
  node.pools.draining('default');
  await node.runs.reset('t0', 'the pool was purged');
  node.pools.release('default');
  node.pools.offline('default');
  assert.deepEqual(node.pools.waiting('default'), ['waits']);
  await node.runs.reset('waits', 'the pool was purged');
  assert.deepEqual(node.pools.waiting('default'), []);
  assert.equal(node.pools.deregister('default'), true);
  const { state, error } = node.runs.mustView('waits');
  assert.deepEqual([state, error?.code, error?.message], ['failed', 'WORKER_RESET', 'the pool was purged']);
  assert.equal(node.runs.mustView('t0').engine_version, null);
  assert.equal(node.pools.get('default'), undefined);
});
