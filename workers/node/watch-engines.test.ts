import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listProcesses } from '../../activities/process/process-table.js';
import { isAlive } from '../../testing/processes.js';
import { KEY, POOL, watchedNode } from '../../testing/watched-node.js';
import { endLeftEngine, findLeftEngines } from '../../activities/process/adopt.js';
import { adoptEngines } from './adopt-engines.js';
import { nodeMetrics } from './prometheus.js';

test('B-SUPER-001, B-SUPER-004, B-SUPER-007, B-LIFE-012, B-INF-039: an engine that exits takes its work away, is reaped, and its code and life are told', async (t) => {
  const { node, watch, counted, gone, logged, prepared, engine } = await watchedNode(t, [
    '--crash-after-ms',
    '1500',
  ]);
  await gone();
  await watch.lookAtAll();
  const status = node.pools.status(POOL);
  assert.deepEqual([status?.live, status?.ready], [false, false]);
  // Not even as a zombie.
  assert.equal(
    (await listProcesses()).some(({ pid }) => pid === engine.pid),
    false,
  );
  assert.match(status?.last_error ?? '', /\(pid \d+\) has crashed: process_exit\(134\)/);
  const line = logged('engine_crashed');
  assert.deepEqual(
    [line?.['pool_id'], line?.['engine_version'], line?.['exit_code'], line?.['reason']],
    [POOL, 'fake-1', 134, 'process_exit(134)'],
  );
  assert.ok(Number(line?.['uptime_seconds']) >= 1, String(line?.['uptime_seconds']));
  assert.deepEqual(counted, [['process_exit', 'GPU0']]);
  const crash = node.pools.crash(POOL);
  assert.deepEqual([crash?.prepared, crash?.crash_id], [prepared, `${engine.pid}:${engine.start_ticks}`]);
});

test('B-SUPER-003: an engine whose own log tells of a CUDA error has crashed by it', async (t) => {
  const words = 'CUDA error: an illegal memory access was encountered';
  const { node, watch, gone } = await watchedNode(t, ['--error-line', words, '--crash-after-ms', '800']);
  await gone();
  await watch.lookAtAll();
  assert.equal(node.pools.crash(POOL)?.kind, 'cuda_error');
  assert.match(node.pools.status(POOL)?.last_error ?? '', /illegal memory access/);
});

test('B-SUPER-015, B-METRICS-005: a reset of the driver is a reason of its own, counted by device', async (t) => {
  const words = 'NVRM: Xid 79, GPU has fallen off the bus';
  const { node, watch, gone, counted } = await watchedNode(t, [
    '--error-line',
    words,
    '--crash-after-ms',
    '800',
  ]);
  await gone();
  await watch.lookAtAll();
  assert.equal(node.pools.crash(POOL)?.reason, 'driver_reset');
  assert.deepEqual(counted, [['driver_reset', 'GPU0']]);
});

test('B-OBS-034: health polls of engines that serve are counted by how they were answered', async (t) => {
  const answers = Array.from({ length: 10 }, (_, poll) => poll !== 3 && poll !== 7);
  const { pools: metrics, text } = nodeMetrics();
  const { watch } = await watchedNode(t, [], {
    metrics,
    answers: () => Promise.resolve(answers.shift() ?? true),
  });
  for (let poll = 0; poll < 10; poll++) await watch.ask();
  const counted = (await text()).split('\n').filter((line) => line.startsWith('pool_health_checks_total{'));
  assert.deepEqual(counted, [
    `pool_health_checks_total{pool_id="${POOL}",outcome="success"} 8`,
    `pool_health_checks_total{pool_id="${POOL}",outcome="failure"} 2`,
  ]);
});

test('B-SUPER-005: an engine that was ended by a signal is told with its name', async (t) => {
  const { node, watch, gone, engine } = await watchedNode(t);
  process.kill(engine.pid, 'SIGSEGV');
  await gone();
  await watch.lookAtAll();
  const { reason, exit_code, signal } = node.pools.crash(POOL) ?? {};
  assert.deepEqual([reason, exit_code, signal], ['signal(SIGSEGV)', null, 'SIGSEGV']);
});

test('B-SUPER-009, B-OBS-060: a kill while the system runs out of memory raises an alert', async (t) => {
  const kills = [3, 4];
  const { node, watch, gone, engine, logged } = await watchedNode(t, [], {
    oomKills: () => Promise.resolve(kills.shift() ?? 4),
  });
  await watch.lookAtAll();
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  await watch.lookAtAll();
  assert.equal(node.pools.crash(POOL)?.reason, 'out_of_memory(host)');
  const { severity, alert, pool_id, reason } = logged('alert') ?? {};
  assert.deepEqual([severity, alert, pool_id, reason], ['critical', 'oom_kill', POOL, 'out_of_memory(host)']);
});

test('B-SUPER-009: a kill is no want of memory where the system has killed nobody since the last look', async (t) => {
  const { node, watch, gone, engine } = await watchedNode(t, [], { oomKills: () => Promise.resolve(3) });
  await watch.lookAtAll();
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  await watch.lookAtAll();
  assert.equal(node.pools.crash(POOL)?.reason, 'signal(SIGKILL)');
});

test('B-SUPER-002: an engine whose tokens flow is not ended, whatever its health says', async (t) => {
  const { node, watch, engine } = await watchedNode(t, [], {
    answers: () => Promise.resolve(false),
    now: () => 9_000,
  });
  const [replica] = node.pools.get(POOL)?.replicas.values() ?? [];
  assert.ok(replica);
  replica.tokenAtMs = 8_999;
  for (let poll = 0; poll < 5; poll += 1) await watch.ask();
  assert.deepEqual([node.pools.status(POOL)?.ready, isAlive(engine.pid)], [true, true]);
  replica.tokenAtMs = -1_000_000;
  for (let poll = 0; poll < 3; poll += 1) await watch.ask();
  assert.equal(isAlive(engine.pid), false);
});

test('B-SUPER-002, B-WHL-006: an engine that misses three polls in a row is stopped and out of service, and each of them is told with its time', async (t) => {
  const answers = [false, false, true, false, false, false];
  let now = 1_000;
  const { node, watch, engine, logged, counted } = await watchedNode(t, [], {
    answers: () => Promise.resolve(answers.shift() ?? false),
    now: () => (now += 1_000),
  });
  for (let poll = 0; poll < 5; poll += 1) await watch.ask();
  assert.deepEqual([node.pools.status(POOL)?.ready, isAlive(engine.pid)], [true, true]);
  await watch.ask();
  assert.equal(isAlive(engine.pid), false);
  assert.deepEqual([node.pools.status(POOL)?.ready, node.pools.status(POOL)?.live], [false, false]);
  assert.equal(node.pools.crash(POOL)?.reason, 'health_check_failure');
  const missed = logged('engine_silent')?.['missed_at'] as string[];
  assert.equal(missed.length, 3);
  assert.ok(missed.every((at) => !Number.isNaN(Date.parse(at))) && new Set(missed).size === 3);
  assert.deepEqual(counted, [['health_check_failure', 'GPU0']]);
});

test('B-SUPER-006: an engine that ends with code 0 has gone gracefully', async (t) => {
  const { node, watch, gone, engine, logged } = await watchedNode(t);
  process.kill(engine.pid, 'SIGTERM'); // The fake engine then exits with 0.
  await gone();
  await watch.lookAtAll();
  assert.equal(node.pools.crash(POOL)?.kind, 'graceful_exit');
  assert.equal(logged('engine_crashed')?.['level'], 40); // A warning, no error.
});

for (const state of ['draining', 'reloading'] as const) {
  test(`B-SUPER-017: an engine that ends while its pool is ${state} is not to be started again`, async (t) => {
    const { node, watch, gone, engine } = await watchedNode(t);
    node.pools[state](POOL);
    process.kill(engine.pid, 'SIGKILL');
    await gone();
    await watch.lookAtAll();
    assert.deepEqual([node.pools.status(POOL)?.state, node.pools.crash(POOL)], ['failed', null]);
  });
}

test('B-SUPER-017: an engine that was stopped on purpose has not crashed', async (t) => {
  const { node, watch, counted } = await watchedNode(t);
  node.pools.release(POOL);
  await node.run('stopEngine', { ...KEY, reason: 'drain', if_missing: 'stopped' });
  node.pools.offline(POOL);
  await watch.lookAtAll();
  assert.deepEqual([counted, node.pools.crash(POOL), node.pools.status(POOL)?.state], [[], null, 'offline']);
});

test('a pool with another engine goes on with that', async (t) => {
  const { node, watch, engine, prepared, gone } = await watchedNode(t);
  const other = { ...prepared, replica_id: 'r1' };
  node.pools.ready({ prepared: other, url: 'http://127.0.0.1:1', pid: null, startTicks: null });
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  await watch.lookAtAll();
  assert.deepEqual([node.pools.status(POOL)?.ready, node.pools.replicas(POOL)], [true, ['r1']]);
  assert.equal(node.pools.crash(POOL), null);
});

test('B-SUPER-001: a worker that finds the engine of an earlier one dead reports its crash', async (t) => {
  const { node, engine, gone } = await watchedNode(t);
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  const next = node.restarted();
  await adoptEngines(next.deps, next.pools, next.deps.log);
  const crash = next.pools.crash(POOL);
  assert.deepEqual(
    [crash?.crash_id, crash?.reason],
    [`${engine.pid}:${engine.start_ticks}`, 'process_exit(unknown)'],
  );
  assert.equal(next.pools.status(POOL)?.model_ref, 'demo');
});

test('B-SUPER-001: an engine whose files an earlier worker has cleared away has crashed all the same, and is started again', async (t) => {
  const { node, watch, prepared, engine, gone } = await watchedNode(t);
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  const [left] = await findLeftEngines(node.deps.paths.runtimeDir);
  assert.ok(left);
  await endLeftEngine(left, node.deps, 'left by an earlier worker');
  // A preload that was under way goes on with what it knows.
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  await watch.lookAtAll();
  const crash = node.pools.crash(POOL);
  assert.deepEqual(
    [node.pools.status(POOL)?.state, crash?.crash_id, crash?.prepared.binary_path],
    ['failed', `${engine.pid}:${engine.start_ticks}`, prepared.binary_path],
  );
});

test('B-WST-018: an engine that registers while the one before it is cleared away stays, and waits for nobody', async (t) => {
  let find = (): void => undefined;
  const found = new Promise<void>((resolve) => (find = resolve));
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const { node, watch, prepared, engine, gone } = await watchedNode(t, [], {
    oomKills: async () => {
      find();
      await held;
      return 0;
    },
  });
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  const cleanUp = watch.lookAtAll();
  await found;
  const next = { prepared, url: 'http://127.0.0.1:1', pid: process.pid, startTicks: 'its own' };
  node.pools.ready(next);
  assert.equal(node.pools.status(POOL)?.ready, true, 'it is there before the clean-up has ended');
  letGo();
  await cleanUp;
  assert.deepEqual(
    [node.pools.running(POOL, 'r0')?.pid, node.pools.status(POOL)?.ready, node.pools.crash(POOL)],
    [process.pid, true, null],
  );
});
