import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { poolNode } from '../../testing/pool-node.js';
import { nodeOnDisk, offerOf } from '../../testing/test-node.js';
import { findLeftEngines } from '../../activities/process/adopt.js';
import { adoptEngines } from './adopt-engines.js';
import { reportLeft } from './crash-report.js';

test('B-REG-134: a worker that starts again knows its pools and their leases as they were', async (t) => {
  const machine = await poolNode(t);
  const changes = { pool_id: 'default', engine_version: 'b7', engine_digest: 'sha256:7', device_mask: '0,1' };
  const prepared = await machine.prepared([], { ...changes, slots_total: 2 });
  const engine = await machine.run('spawnEngine', prepared);
  await eventually(
    () => 'a healthy engine',
    async () => (await fetch(`${engine.url}/health`).catch(() => undefined))?.ok,
  );
  await machine.run('writeHandoff', { prepared, engine, correlation_id: 'c' });

  const first = await nodeOnDisk({ slots: 0 });
  t.after(() => rmSync(first.runsDir, { recursive: true, force: true }));
  await adoptEngines(machine.deps, first.pools, machine.deps.log);
  for (const task of ['t0', 't1', 'waits']) await first.runs.attach(offerOf(task));
  await first.engine.asked(2);
  const before = first.pools.status('default');
  assert.deepEqual([before?.active_leases, before?.queue_depth, before?.engine_digest], [2, 1, 'sha256:7']);
  await first.crash();

  const next = await nodeOnDisk({ runsDir: first.runsDir, slots: 0 });
  t.after(() => next.close());
  await adoptEngines(machine.deps, next.pools, machine.deps.log);
  await next.engine.asked(2);
  const { changed_at_ms, last_heartbeat_ms } = next.pools.status('default') ?? {};
  assert.deepEqual(next.pools.status('default'), { ...before, changed_at_ms, last_heartbeat_ms });
  assert.deepEqual(next.pools.leases('default').sort(), ['t0', 't1']);
  assert.deepEqual(next.pools.running('default', 'r0')?.pid, engine.pid);
  assert.deepEqual(next.pools.get('default')?.scheduler.waiting(), ['waits']);
});

test('B-REG-134, B-SUPER-001: a worker that dies while it ends an engine leaves the crash to the next one', async (t) => {
  const machine = await poolNode(t);
  const prepared = await machine.prepared([], { pool_id: 'default' });
  const engine = await machine.run('spawnEngine', prepared);
  const handoff_path = await machine.run('writeHandoff', { prepared, engine, correlation_id: 'c' });
  process.kill(engine.pid, 'SIGKILL');
  await eventually(
    () => 'the end of the engine',
    async () =>
      (await machine.room.exitOf({ pid: engine.pid, startTicks: engine.start_ticks })) ? true : undefined,
  );

  const [left] = await findLeftEngines(machine.deps.paths.runtimeDir);
  const ending = machine.restarted();
  const filesWhenTold: boolean[] = [];
  ending.pools.onMove(() => filesWhenTold.push(existsSync(handoff_path)));
  await adoptEngines(ending.deps, ending.pools, ending.deps.log);
  const report = ending.pools.crash('default');
  assert.equal(report?.crash_id, `${engine.pid}:${engine.start_ticks}`);
  assert.deepEqual(filesWhenTold, [true]);
  assert.deepEqual(await findLeftEngines(machine.deps.paths.runtimeDir), []);
  assert.equal(left?.alive, false);
});

test('B-REG-134: an engine that was given up is ended by the next worker, whatever it answers', async (t) => {
  const machine = await poolNode(t);
  const prepared = await machine.prepared([], { pool_id: 'default' });
  const engine = await machine.run('spawnEngine', prepared);
  const [left] = await findLeftEngines(machine.deps.paths.runtimeDir);
  assert.ok(left);
  const next = machine.restarted();
  next.pools.crashed(await reportLeft(next.deps, left.record, true));
  await adoptEngines(next.deps, next.pools, next.deps.log);
  assert.deepEqual(await findLeftEngines(machine.deps.paths.runtimeDir), []);
  const { state, ready } = next.pools.status('default') ?? {};
  assert.deepEqual([state, ready], ['failed', false]);
  assert.equal(next.pools.crash('default')?.crash_id, `${engine.pid}:${engine.start_ticks}`);
});
