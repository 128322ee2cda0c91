import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import type { RunningEngine } from '../../activities/deps.js';
import { eventually } from '../../testing/changes.js';
import { nodeOnDisk, offerOf, type TestNode } from '../../testing/test-node.js';

const nodes: TestNode[] = [];
/** A node whose one slot is taken by `runs`, and before which `waits` waits. */
async function busyNode(): Promise<TestNode> {
  const node = await nodeOnDisk({ slots: 1 });
  nodes.push(node);
  await node.runs.attach(offerOf('runs'));
  await node.engine.asked(1);
  await node.runs.offer(offerOf('waits'));
  node.runs.confirm('waits');
  return node;
}
afterEach(async () => {
  const open = nodes.splice(0);
  for (const node of open) await node.close();
  for (const { runsDir } of open) rmSync(runsDir, { recursive: true, force: true });
});

/** The engine that shall take the place of the node's own. */
function nextEngine({ pools }: TestNode): RunningEngine {
  const [current] = pools.engines();
  assert.ok(current);
  const changes = { model_path: '/new.gguf', engine_version: 'next', slots_total: 2 };
  return { ...current, prepared: { ...current.prepared, ...changes }, pid: 2, url: 'http://127.0.0.1:2' };
}

test('B-CP-034, B-RELOAD-008, B-RELOAD-009: in one step new work goes to the new engine, and what runs keeps the old one', async () => {
  const node = await busyNode();
  const next = nextEngine(node);
  for (const _ of [1, 2]) node.pools.switched(next);
  await node.engine.asked(2);
  assert.deepEqual(
    [node.pools.leases('default', 'r0.old'), node.pools.leases('default', 'r0')],
    [['runs'], ['waits']],
  );
  const status = node.pools.status('default');
  assert.deepEqual(
    [status?.state, status?.engine_version, status?.device_mask, status?.active_leases, status?.slots_free],
    ['ready', 'next', null, 2, 1],
  );
  await node.runs.offer(offerOf('new'));
  await node.engine.asked(3);
  assert.deepEqual(node.pools.leases('default', 'r0'), ['waits', 'new']);
});

test("a prompt that was counted in the old model's vocabulary is read anew for the new model", async () => {
  const node = await busyNode();
  node.engine.tokenize = () => Promise.resolve([7, 7, 7, 7]);
  node.pools.switched(nextEngine(node));
  await node.engine.asked(2);
  assert.deepEqual(
    node.engine.requests.map(({ promptIds }) => promptIds),
    [
      [1, 2, 3],
      [7, 7, 7, 7],
    ],
  );
});

test('the old engine is let go of alone once its tasks have ended', async () => {
  const node = await busyNode();
  node.pools.switched(nextEngine(node));
  await node.engine.asked(2);
  await node.runs.reset('runs', 'the reload was forced');
  await eventually(
    () => 'the lease to be given back',
    () => (node.pools.leases('default', 'r0.old').length === 0 ? true : undefined),
  );
  node.pools.release('default', 'r0.old');
  assert.deepEqual(
    [node.pools.replicas('default'), node.pools.leases('default'), node.pools.status('default')?.ready],
    [['r0'], ['waits'], true],
  );
});

test('B-RELOAD-001, B-RELOAD-011: while an engine is exchanged in place tasks may come, and wait until it serves again', async () => {
  const node = await busyNode();
  node.pools.reloading('default');
  const { ready, draining, live } = node.pools.status('default') ?? {};
  assert.deepEqual([ready, draining, live], [false, false, true]);
  await node.runs.offer(offerOf('comes'));
  await node.runs.reset('runs', 'the reload was forced');
  assert.deepEqual([node.runs.mustView('waits').queue_position, node.engine.requests.length], [0, 1]);
  assert.equal(node.pools.serving('default'), true);
  await node.engine.asked(2);
});
