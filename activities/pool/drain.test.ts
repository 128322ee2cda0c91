import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { isAlive } from '../../testing/processes.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { quietMetrics } from '../../testing/quiet-metrics.js';
import type { NodeActivityDeps } from '../deps.js';
import { replicaFiles } from '../replica-files.js';
import { awaitLeasesActivity } from './await-leases.js';
import { isMarkedDraining } from './drain-mark.js';

const POOL = 'gpu-0';
const ORDER = { pool_id: POOL, reason: 'operator', deadline_ms: 5_000 };

/** A node with a real engine that serves, and what its metrics are told. */
async function servingNode(t: TestContext, changes: Partial<NodeActivityDeps> = {}) {
  const counted: unknown[] = [];
  const node = await poolNode(t, {
    metrics: {
      ...quietMetrics,
      drainStarted: (...event) => counted.push(['started', ...event]),
      drainEnded: (...event) => counted.push(['ended', ...event]),
    },
    ...changes,
  });
  const prepared = await node.prepared();
  const engine = await node.run('spawnEngine', prepared);
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  return { node, prepared, engine, counted };
}

/** Takes a slot of the pool for a task. */
function lease({ pools }: PoolNode, taskId: string) {
  const { scheduler } = pools.ensure(POOL);
  scheduler.enqueue(taskId, 'interactive');
  scheduler.pump();
  return () => scheduler.release(taskId);
}

test('B-DRAIN-010, B-CP-027: a drain with leases is announced once, as a warning with their number', async (t) => {
  const { node, counted } = await servingNode(t);
  for (const id of ['a', 'b']) lease(node, id);
  const marked = await node.run('markPoolDraining', ORDER);
  assert.deepEqual(marked, { active_leases: 2, replica_ids: ['r0'] });
  assert.deepEqual(await node.run('markPoolDraining', ORDER, { attempt: 2 }), marked);
  const lines = node.logged.filter(({ event }) => event === 'pool_draining');
  assert.equal(lines.length, 1);
  const { level, active_leases, deadline_ms, pool_id, engine, engine_version, action, target } =
    lines[0] ?? {};
  assert.deepEqual(
    { level, active_leases, deadline_ms, pool_id, engine, engine_version, action, target },
    {
      ...{ level: 40, active_leases: 2, deadline_ms: 5_000, pool_id: POOL, engine: 'llamacpp' },
      ...{ engine_version: 'fake-1', action: 'drain', target: POOL },
    },
  );
  assert.deepEqual(counted, [['started', POOL, 'operator']]);
});

test('B-DRAIN-006, B-DRAIN-007, B-DRAIN-008, B-DRAIN-009, B-POOL-006: an idle pool is drained: no process, no PID file, offline, measured', async (t) => {
  const { node, prepared, engine, counted } = await servingNode(t);
  const { replica_ids, active_leases } = await node.run('markPoolDraining', ORDER);
  assert.deepEqual([replica_ids, active_leases], [['r0'], 0]);
  assert.deepEqual(await node.run('endLeases', { pool_id: POOL }), { final_lease_count: 0 });
  // Nobody watches an engine for a crash that is about to be stopped.
  assert.deepEqual(node.pools.engines(), []);
  const stopped = await node.run('stopEngine', {
    ...{ pool_id: POOL, replica_id: 'r0', reason: 'drain', if_missing: 'stopped' as const },
  });
  assert.equal(stopped.outcome, 'stopped');
  const outcome = { pool_id: POOL, force_stopped: false, duration_ms: 77, final_lease_count: 0 };
  for (const attempt of [1, 2]) await node.run('markPoolOffline', outcome, { attempt });
  assert.equal(isAlive(engine.pid), false);
  assert.equal(existsSync(replicaFiles(node.deps.paths, prepared).pidFile), false);
  const status = node.pools.status(POOL);
  assert.deepEqual([status?.state, status?.live, status?.ready], ['offline', false, false]);
  assert.deepEqual(counted.slice(1), [['ended', POOL, 'drained', 77]]);
});

test('B-DRAIN-005: what still runs is reset and counted, the pool lets go of its engine', async (t) => {
  const reset: string[] = [];
  const refuse = () => Promise.reject(new Error('nobody asks for this'));
  const runs: NodeActivityDeps['runs'] = {
    ...{ attach: refuse, waitForEnd: refuse, cancel: refuse, breakOff: refuse, view: () => undefined },
    reset: (taskId) => {
      reset.push(taskId);
      return Promise.resolve();
    },
  };
  const { node } = await servingNode(t, { runs });
  for (const id of ['a', 'b']) lease(node, id);
  await node.run('markPoolDraining', ORDER);
  assert.deepEqual(await node.run('endLeases', { pool_id: POOL }), { final_lease_count: 2 });
  assert.deepEqual([reset, node.pools.replicas(POOL)], [['a', 'b'], []]);
  assert.equal(node.logged.find(({ event }) => event === 'leases_ended')?.['active_leases'], 2);
});

test('B-DRAIN-004, B-PDUR-002: the wait ends with the last lease, and tells meanwhile how many there are', async (t) => {
  const { node } = await servingNode(t);
  const [first, last] = ['a', 'b'].map((id) => lease(node, id));
  const environment = new MockActivityEnvironment();
  const beats: unknown[] = [];
  let over = false;
  environment.on('heartbeat', (beat) => {
    beats.push(beat);
    first?.();
    assert.equal(over, false);
    last?.();
  });
  await environment.run(awaitLeasesActivity(node.deps), { pool_id: POOL });
  over = true;
  assert.deepEqual(beats, [{ active_leases: 2 }]);
  assert.equal(node.pools.status(POOL)?.draining, true);
});

for (const [reason, expected] of [
  ['WORKER_SHUTDOWN', { name: 'ApplicationFailure', type: 'WORKER_SHUTDOWN', nonRetryable: false }],
  ['CANCELLED', { name: 'CancelledFailure' }],
] as const) {
  test(`B-DRAIN-012, B-PDUR-002: a wait that ends by ${reason} says so, and the pool stays marked`, async (t) => {
    const { node } = await servingNode(t);
    lease(node, 'a');
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', () => environment.cancel(reason));
    await assert.rejects(environment.run(awaitLeasesActivity(node.deps), { pool_id: POOL }), expected);
    assert.equal(isMarkedDraining(node.deps.paths, POOL), true);
  });
}

test('B-DRAIN-013: a drain that is called off leaves a ready pool and no mark', async (t) => {
  const { node, counted } = await servingNode(t);
  await node.run('markPoolDraining', ORDER);
  assert.equal(isMarkedDraining(node.deps.paths, POOL), true);
  const last_error = 'drain cancelled during the step "leases"';
  const lifted = { pool_id: POOL, outcome: 'cancelled' as const, last_error, duration_ms: 5 };
  for (const attempt of [1, 2]) await node.run('liftDrain', lifted, { attempt });
  const status = node.pools.status(POOL);
  assert.deepEqual([status?.state, status?.draining, status?.last_error], ['ready', false, null]);
  assert.equal(isMarkedDraining(node.deps.paths, POOL), false);
  assert.deepEqual(counted.slice(1), [['ended', POOL, 'cancelled', 5]]);
});

test('B-DRAIN-014: a drain whose engine could not be stopped shows a failed pool with the reason, not an offline one', async (t) => {
  const { node } = await servingNode(t);
  await node.run('markPoolDraining', ORDER);
  await node.run('endLeases', { pool_id: POOL });
  const last_error = 'drain failed: the group 4711 outlives SIGKILL';
  await node.run('liftDrain', { pool_id: POOL, outcome: 'failed', last_error, duration_ms: 5 });
  const status = node.pools.status(POOL);
  assert.deepEqual([status?.state, status?.ready, status?.last_error], ['failed', false, last_error]);
  // The next drain finds the engine by its record, since it serves nobody any more.
  assert.deepEqual((await node.run('markPoolDraining', ORDER)).replica_ids, ['r0']);
});

test('B-DRAIN-016: a preload takes the mark of an earlier drain away', async (t) => {
  const { node, prepared, engine } = await servingNode(t);
  await node.run('markPoolDraining', ORDER);
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  assert.equal(isMarkedDraining(node.deps.paths, POOL), false);
  assert.equal(node.pools.status(POOL)?.ready, true);
});

test('B-CP-037: a pool that is being loaded cannot be drained, and is not marked', async (t) => {
  const node = await poolNode(t);
  await node.run('markPoolStarting', await node.prepared());
  await assert.rejects(node.run('markPoolDraining', ORDER), { type: 'POOL_CONFLICT', nonRetryable: true });
  assert.deepEqual(
    [node.pools.status(POOL)?.state, isMarkedDraining(node.deps.paths, POOL)],
    ['starting', false],
  );
});
