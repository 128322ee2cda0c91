import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readSettings } from '../../contracts/settings.js';
import { eventually } from '../../testing/changes.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { livingGroup } from '../../testing/started-engine.js';
import { findLeftEngines } from '../process/adopt.js';
import { replicaFiles } from '../replica-files.js';

const GPU0 = { pool_id: 'gpu-0', replica_id: 'r0' };
const DIRECTLY = { ...GPU0, reason: 'test', if_missing: 'fail' } as const;
const AS_UNDO = { ...DIRECTLY, if_missing: 'stopped' } as const;

async function running(node: PoolNode, flags: readonly string[] = []) {
  const prepared = await node.prepared(flags);
  const engine = await node.run('spawnEngine', prepared);
  await eventually(
    () => 'the engine to listen',
    async () => (await fetch(`${engine.url}/fake`).catch(() => undefined))?.ok,
  );
  const files = replicaFiles(node.deps.paths, prepared);
  await node.run('writeHandoff', { prepared, engine, correlation_id: 'c' });
  return { prepared, engine, files };
}

test('B-PROC-010 B-PROC-014 B-PRELOAD-048: a stopped engine leaves no process, PID file, record or handoff', async (t) => {
  const node = await poolNode(t);
  const { engine, files } = await running(node);
  assert.deepEqual(await node.run('stopEngine', DIRECTLY), { outcome: 'stopped', pid: engine.pid });
  assert.deepEqual(await livingGroup(engine.pid), []);
  for (const path of [files.pidFile, files.spawnRecord, files.handoff])
    assert.equal(existsSync(path), false, path);
  assert.equal(existsSync(files.logFile), true);
});

test('B-FLOW-006: engines that are started and stopped in quick succession leave nobody behind, and the registry as it was', async (t) => {
  const node = await poolNode(t);
  const pids: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    const prepared = await node.prepared([], { pool_id: `gpu-${round % 2}` });
    const spawning = node.run('spawnEngine', prepared);
    // Half of them are told to stop while they are still being started.
    if (round % 2 === 0) pids.push((await spawning).pid);
    const stopping = node.run('stopEngine', { ...AS_UNDO, pool_id: prepared.pool_id });
    pids.push((await spawning).pid);
    assert.equal((await stopping).outcome, 'stopped');
  }
  for (const pid of pids) assert.deepEqual(await livingGroup(pid), []);
  assert.deepEqual(await findLeftEngines(node.deps.paths.runtimeDir), []);
  assert.ok(node.pools.snapshot().every(({ live, slots_total }) => !live && slots_total === null));
});

test('B-PROC-019: SIGKILL is logged with pool, pid and reason', async (t) => {
  const node = await poolNode(t, { stopGraceMs: 300 });
  const { engine } = await running(node, ['--ignore-sigterm']);
  assert.deepEqual(await node.run('stopEngine', DIRECTLY), { outcome: 'forced', pid: engine.pid });
  const line = node.logged.find(({ event }) => event === 'engine_killed');
  assert.equal(line?.['pool_id'], 'gpu-0');
  assert.equal(line['pid'], engine.pid);
  assert.equal(line['reason'], 'test');
});

test('B-PROC-012: the grace is 5 s where nobody sets another', () => {
  assert.equal(readSettings({}).DROVER_NODE_STOP_GRACE_MS, 5_000);
});

test('B-PROC-015: a missing PID file is named, and nothing is stopped', async (t) => {
  const node = await poolNode(t);
  const { engine, files } = await running(node);
  await rm(files.pidFile);
  await assert.rejects(node.run('stopEngine', DIRECTLY), {
    type: 'StopFailed',
    nonRetryable: true,
    message: `the PID file ${files.pidFile} does not exist; nothing was stopped`,
  });
  assert.equal((await livingGroup(engine.pid)).length, 1);
});

test('B-PROC-017 B-PDUR-003: as an undo, a missing PID file means stopped already, however often it is asked', async (t) => {
  const node = await poolNode(t);
  for (const attempt of [1, 2]) {
    assert.deepEqual(await node.run('stopEngine', AS_UNDO, { attempt }), {
      outcome: 'already_stopped',
      pid: null,
    });
  }
});

test('B-PDUR-008: as an undo, a child that was never recorded is found by its token and ended', async (t) => {
  const node = await poolNode(t);
  const { engine, files } = await running(node);
  await rm(files.pidFile);
  await rm(files.spawnRecord);
  const restarted = node.restarted();
  assert.deepEqual(await restarted.run('stopEngine', AS_UNDO, { runId: 'another run' }), {
    outcome: 'already_stopped',
    pid: null,
  });
  assert.deepEqual(await restarted.run('stopEngine', AS_UNDO), { outcome: 'stopped', pid: engine.pid });
  assert.deepEqual(await livingGroup(engine.pid), []);
});

test('B-PROC-016: a PID file whose process is not proven ours is stale: removed, reported, nobody signalled', async (t) => {
  const node = await poolNode(t);
  const { engine, files } = await running(node);
  await rm(files.spawnRecord); // The number alone proves nothing.
  const stale = await node.restarted().run('stopEngine', DIRECTLY, { runId: 'another run' });
  assert.deepEqual(stale, { outcome: 'stale', pid: engine.pid });
  assert.equal(existsSync(files.pidFile), false);
  assert.equal((await livingGroup(engine.pid)).length, 1);
  await node.run('stopEngine', AS_UNDO);
});

test('B-PROC-016: a PID file of a process that is gone is stale', async (t) => {
  const node = await poolNode(t);
  const { engine } = await running(node);
  process.kill(engine.pid, 'SIGKILL');
  await eventually(
    () => 'its end',
    async () => ((await livingGroup(engine.pid)).length === 0 ? true : undefined),
  );
  assert.deepEqual(await node.run('stopEngine', DIRECTLY), { outcome: 'stale', pid: engine.pid });
  assert.ok(node.logged.some(({ event }) => event === 'engine_stale'));
});

test('a stop that comes while the engine is being started waits for it, and finds it', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const spawning = node.run('spawnEngine', prepared);
  const stopping = node.run('stopEngine', AS_UNDO);
  const { pid } = await spawning;
  assert.equal((await stopping).pid, pid);
  assert.deepEqual(await livingGroup(pid), []);
});

test('a PID file that holds no number is set aside and told, and what the record names is stopped', async (t) => {
  const node = await poolNode(t);
  const { engine, files } = await running(node);
  await writeFile(files.pidFile, 'rm -rf /');
  assert.deepEqual(await node.run('stopEngine', DIRECTLY), { outcome: 'stopped', pid: engine.pid });
  assert.deepEqual(await livingGroup(engine.pid), []);
  assert.equal(await readFile(`${files.pidFile}.unreadable`, 'utf8'), 'rm -rf /');
  assert.ok(node.logged.some(({ event, path }) => event === 'pid_file_unreadable' && path === files.pidFile));
});
