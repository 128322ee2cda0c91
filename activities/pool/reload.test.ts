import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { isAlive } from '../../testing/processes.js';
import { quietMetrics } from '../../testing/quiet-metrics.js';
import type { NodeActivityDeps } from '../deps.js';
import { readPidFile } from '../process/pid-file.js';
import { readSpawnRecord } from '../process/spawn-record.js';
import { replicaFiles } from '../replica-files.js';

const POOL = 'gpu-0';

/** A node with a real engine that serves, and what its metrics are told of reloads. */
async function servingNode(t: TestContext) {
  const counted: unknown[] = [];
  const metrics: NodeActivityDeps['metrics'] = {
    ...quietMetrics,
    reloadEnded: (...event) => counted.push(event),
  };
  const node = await poolNode(t, { metrics });
  const prepared = await node.prepared();
  const engine = await node.run('spawnEngine', prepared);
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  return { node, prepared, engine, counted };
}

/** A second real engine beside the first, as a reload names it before the switch and for it. */
async function engineBeside(node: PoolNode) {
  const prepared = await node.prepared([], { replica_id: 'r0.next', engine_version: 'fake-2' });
  const engine = await node.run('spawnEngine', prepared);
  return { prepared: { ...prepared, replica_id: 'r0' }, engine };
}

const files = ({ deps }: PoolNode, replica_id: string) =>
  replicaFiles(deps.paths, { pool_id: POOL, replica_id });

test('B-RELOAD-003, B-RELOAD-004, B-RELOAD-008, B-PDUR-003: at the switch the files change names, once, and both engines can still be stopped', async (t) => {
  const { node, engine: old } = await servingNode(t);
  const next = await engineBeside(node);
  for (const attempt of [1, 2]) await node.run('switchEngine', next, { attempt });
  const pids = ['r0', 'r0.old', 'r0.next'].map((id) => readPidFile(files(node, id).pidFile));
  assert.deepEqual(await Promise.all(pids), [next.engine.pid, old.pid, undefined]);
  assert.equal(existsSync(files(node, 'r0.next').spawnRecord), false);
  assert.equal((await readSpawnRecord(files(node, 'r0').spawnRecord))?.prepared.replica_id, 'r0');
  assert.equal(node.pools.status(POOL)?.engine_version, 'fake-2');
  assert.deepEqual(node.pools.replicas(POOL), ['r0', 'r0.old']);

  const stop = { pool_id: POOL, replica_id: 'r0.old', reason: 'reload', if_missing: 'stopped' as const };
  await node.run('endLeases', { pool_id: POOL, replica_id: 'r0.old' });
  assert.equal((await node.run('stopEngine', stop)).outcome, 'stopped');
  assert.deepEqual([isAlive(old.pid), isAlive(next.engine.pid)], [false, true]);
  assert.equal(existsSync(files(node, 'r0.old').pidFile), false);
  assert.deepEqual([node.pools.replicas(POOL), node.pools.status(POOL)?.ready], [['r0'], true]);
});

test('B-RELOAD-011: a switch that cannot be written leaves the old engine its name, and no other', async (t) => {
  const { node, engine: old } = await servingNode(t);
  const next = await engineBeside(node);
  const { pidFile, spawnRecord } = files(node, 'r0');
  await rm(pidFile);
  await mkdir(pidFile); // No file can take its place.
  await assert.rejects(node.run('switchEngine', next));
  assert.equal((await readSpawnRecord(spawnRecord))?.pid, old.pid);
  assert.equal(existsSync(files(node, 'r0.old').spawnRecord), false);
  assert.equal((await readSpawnRecord(files(node, 'r0.next').spawnRecord))?.pid, next.engine.pid);
  assert.equal(node.pools.running(POOL, 'r0')?.pid, old.pid);
  await rm(pidFile, { recursive: true });
});

test('an engine without a record does not take over, for nobody could stop it later', async (t) => {
  const { node, engine: old } = await servingNode(t);
  const next = await engineBeside(node);
  await rename(files(node, 'r0.next').spawnRecord, files(node, 'r0.next').pidFile);
  await assert.rejects(node.run('switchEngine', next), { type: 'EngineExited' });
  assert.equal((await readSpawnRecord(files(node, 'r0').spawnRecord))?.pid, old.pid);
  await rename(files(node, 'r0.next').pidFile, files(node, 'r0.next').spawnRecord); // For the end of the test.
});

test('a pool that has been taken out of service meanwhile is not switched', async (t) => {
  const { node, engine: old } = await servingNode(t);
  const next = await engineBeside(node);
  node.pools.draining(POOL);
  await assert.rejects(node.run('switchEngine', next), { type: 'POOL_CONFLICT' });
  assert.equal(await readPidFile(files(node, 'r0').pidFile), old.pid);
});

test('B-RELOAD-009, B-RELOAD-010: the plan is what serves with the other model, and the same for the same', async (t) => {
  const { node, prepared, engine } = await servingNode(t);
  const { current, next } = await node.run('planReload', {
    pool_id: POOL,
    new_model_ref: 'file:/models/b.gguf',
  });
  assert.deepEqual(current, { prepared, engine });
  assert.deepEqual(
    [next.model_path, next.pool_id, next.device_mask, next.flags.includes('/models/b.gguf')],
    ['/models/b.gguf', POOL, prepared.device_mask, true],
  );
  const same = await node.run('planReload', { pool_id: POOL, new_model_ref: prepared.model_ref });
  assert.deepEqual(same.next, prepared);
});

test('B-RELOAD-002: a model that was fetched keeps the reference that it is known by', async (t) => {
  const { node } = await servingNode(t);
  const new_model_ref = 'hf:org/repo/m.gguf';
  const { next } = await node.run('planReload', {
    pool_id: POOL,
    new_model_ref,
    staged_path: '/cache/m.gguf',
  });
  assert.deepEqual(
    [next.model_path, next.model_ref, next.flags.includes('/cache/m.gguf')],
    ['/cache/m.gguf', new_model_ref, true],
  );
});

const REFUSED = [
  ['ModelUnavailable', { new_model_ref: 'hf:org/repo' }],
  ['POOL_CONFLICT', { pool_id: 'nobody', new_model_ref: 'demo' }],
] as const;

for (const [type, input] of REFUSED) {
  test(`B-RELOAD-016: a reload with ${JSON.stringify(input)} is ${type} before anything is touched`, async (t) => {
    const { node } = await servingNode(t);
    await assert.rejects(node.run('planReload', { pool_id: POOL, ...input }), { type, nonRetryable: true });
    assert.equal(node.pools.status(POOL)?.ready, true);
  });
}

test('B-RELOAD-009: a launch of another pool or device mask is no reload of this one', async (t) => {
  const { node, prepared } = await servingNode(t);
  for (const change of [{ pool_id: 'gpu-1' }, { device_mask: '1' }]) {
    const input = { pool_id: POOL, prepared: { ...prepared, ...change } };
    await assert.rejects(node.run('planReload', input), { type: 'INVALID_PARAMS' });
  }
});

const OUTCOME = {
  pool_id: POOL,
  success: true,
  rolled_back: false,
  new_engine_version: 'fake-2',
  duration_ms: 9,
};

test('B-RELOAD-012, B-RELOAD-013, B-RELOAD-015: how a reload went is measured, and a pool whose engine is bound takes work again', async (t) => {
  const { node, counted } = await servingNode(t);
  await node.run('endReload', { ...OUTCOME, reason: null, last_error: null });
  await node.run('markPoolReloading', { pool_id: POOL });
  assert.equal(node.pools.status(POOL)?.state, 'reloading');
  const failed = {
    ...OUTCOME,
    success: false,
    rolled_back: true,
    reason: 'DrainTimeout',
    last_error: 'late',
  };
  await node.run('endReload', failed);
  assert.deepEqual(counted, [
    [POOL, null, 9],
    [POOL, 'DrainTimeout', 9],
  ]);
  const { state, draining, last_error } = node.pools.status(POOL) ?? {};
  assert.deepEqual([state, draining, last_error], ['ready', false, null]);
});

test('B-RELOAD-017: where no engine is left the pool has failed, and shows why', async (t) => {
  const { node } = await servingNode(t);
  await node.run('markPoolReloading', { pool_id: POOL });
  await node.run('endLeases', { pool_id: POOL, replica_id: 'r0' });
  const last_error = 'reload failed: new one exited; rollback failed: old one exited';
  await node.run('endReload', { ...OUTCOME, success: false, reason: 'RollbackFailed', last_error });
  const status = node.pools.status(POOL);
  assert.deepEqual([status?.state, status?.last_error], ['failed', last_error]);
  assert.equal(node.logged.find(({ event }) => event === 'pool_reloaded')?.['level'], 50);
});

test('a launch of the configuration file is not exchanged for itself, and a model that an operator names takes its mark away', async (t) => {
  const node = await poolNode(t);
  const config_digest = 'a'.repeat(64);
  const prepared = await node.prepared([], { config_digest });
  const url = `http://127.0.0.1:${prepared.port}`;
  node.pools.ready({ prepared, url, pid: 4_194_303, startTicks: '1' });
  const { pool_id } = prepared;
  assert.equal(node.pools.status(pool_id)?.config_digest, config_digest);
  await assert.rejects(node.run('planReload', { pool_id, prepared: { ...prepared, slots_total: 1 } }), {
    type: 'POOL_CONFLICT',
  });
  const changed = { ...prepared, config_digest: 'b'.repeat(64) };
  assert.equal(
    (await node.run('planReload', { pool_id, prepared: changed })).next.config_digest,
    changed.config_digest,
  );
  const named = await node.run('planReload', { pool_id, new_model_ref: 'file:/models/other.gguf' });
  assert.deepEqual([named.next.model_path, named.next.config_digest], ['/models/other.gguf', undefined]);
});
