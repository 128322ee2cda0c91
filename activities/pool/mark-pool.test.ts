import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { fakeGpus } from '../../testing/fake-gpus.js';
import { poolNode } from '../../testing/pool-node.js';
import { isAlive } from '../../testing/processes.js';
import { nodeMetrics } from '../../workers/node/prometheus.js';

const ENGINE = { pid: 4711, start_ticks: '99', url: 'http://127.0.0.1:8001' };

test('B-POOL-003: a starting pool is neither live nor ready', async (t) => {
  const node = await poolNode(t);
  await node.run('markPoolStarting', await node.prepared());
  const status = node.pools.status('gpu-0');
  assert.deepEqual(
    { state: status?.state, live: status?.live, ready: status?.ready },
    { state: 'starting', live: false, ready: false },
  );
});

test('B-DEVICE-015: of two pools that passed preflight together one has the devices, until it ends', async (t) => {
  const { PATH } = await fakeGpus(t, [{ index: '0' }, { index: '1' }]);
  const node = await poolNode(t, { env: () => ({ PATH }) });
  const one = await node.prepared([], { backend: 'cuda', device_mask: '0,1' });
  const two = { ...one, pool_id: 'gpu-1', device_mask: 'GPU1' };
  await node.run('preflight', one);
  await node.run('preflight', two);
  await node.run('markPoolStarting', one);
  const refusal = {
    type: 'POOL_CONFLICT',
    nonRetryable: true,
    message: /overlaps with "0,1" of pool gpu-0 in 1/,
  };
  await assert.rejects(node.run('markPoolStarting', two), refusal);
  await assert.rejects(node.run('preflight', two), refusal);
  assert.equal(node.pools.status('gpu-1'), undefined);
  await node.run('markPoolFailed', { pool_id: 'gpu-0', last_error: 'it ended' });
  await node.run('markPoolStarting', two);
  assert.equal(node.pools.status('gpu-1')?.state, 'starting');
});

test('B-DEVICE-015: pools that both declare it share their devices', async (t) => {
  const node = await poolNode(t);
  const one = await node.prepared([], { backend: 'cuda', device_mask: '0', share_devices: true });
  await node.run('markPoolStarting', one);
  await node.run('markPoolStarting', { ...one, pool_id: 'gpu-1' });
  await assert.rejects(node.run('markPoolStarting', { ...one, pool_id: 'gpu-2', share_devices: false }), {
    type: 'POOL_CONFLICT',
  });
  await node.run('markPoolStarting', { ...one, pool_id: 'cpu', share_devices: false, backend: 'cpu' });
});

test('B-PRELOAD-021 B-PRELOAD-023 B-PRELOAD-024 B-POOL-004: a pool whose engine has proved itself is live and ready, with its version', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared([], { engine_version: 'b1234' });
  await node.run('markPoolFailed', { pool_id: 'gpu-0', last_error: 'an earlier preload failed' });
  await node.run('markPoolReady', { prepared, engine: ENGINE, duration_ms: 77 });
  const status = node.pools.status('gpu-0');
  const { state, live, ready, engine_version } = status ?? {};
  assert.deepEqual([state, live, ready, engine_version], ['ready', true, true, 'b1234']);
  assert.equal(status?.last_error, null);
});

test('B-PRELOAD-025: readiness is logged with pool, pid, url and duration', async (t) => {
  const node = await poolNode(t);
  await node.run('markPoolReady', { prepared: await node.prepared(), engine: ENGINE, duration_ms: 77 });
  const line = node.logged.find(({ event }) => event === 'pool_ready');
  const { pool_id, pid, url, duration_ms } = line ?? {};
  assert.deepEqual(
    { pool_id, pid, url, duration_ms },
    { pool_id: 'gpu-0', pid: 4711, url: 'http://127.0.0.1:8001', duration_ms: 77 },
  );
});

test('B-PRELOAD-032 B-PRELOAD-034 B-ERROR-020 B-ERROR-021: a failed pool is not ready, shows why, and says so in the log', async (t) => {
  const node = await poolNode(t);
  await node.run('markPoolReady', { prepared: await node.prepared(), engine: ENGINE, duration_ms: 1 });
  await node.run('markPoolFailed', {
    pool_id: 'gpu-0',
    last_error: 'preload failed: health check failed: …',
  });
  const status = node.pools.status('gpu-0');
  assert.deepEqual([status?.live, status?.ready, status?.state], [false, false, 'failed']);
  assert.match(status?.last_error ?? '', /health check failed/);
  assert.match(
    String(node.logged.find(({ event }) => event === 'pool_failed')?.['last_error']),
    /health check failed/,
  );
});

/** A node whose registry cannot be used: a file stands where its folder belongs. */
async function nodeWithoutRegistry(t: TestContext) {
  const node = await poolNode(t);
  const { runtimeDir } = node.deps.paths;
  await node.run('markPoolStarting', await node.prepared([], { pool_id: 'other' }));
  await rm(runtimeDir, { recursive: true });
  await writeFile(runtimeDir, 'no folder');
  return node;
}

test('B-API-013, B-ERROR-002, B-ERROR-003: without its registry a node begins no preload and no drain, says why, and logs it', async (t) => {
  const node = await nodeWithoutRegistry(t);
  const refusal = {
    type: 'RegistryUnavailable',
    nonRetryable: false,
    message: /^the registry of this node cannot be used: (ENOTDIR|EEXIST): /,
  };
  await assert.rejects(node.run('markPoolStarting', await node.prepared()), refusal);
  assert.equal(node.pools.status('gpu-0'), undefined);
  node.pools.failed('gpu-0', 'as it was');
  const drain = { pool_id: 'gpu-0', reason: 'operator', deadline_ms: 1 };
  await assert.rejects(node.run('markPoolDraining', drain), refusal);
  assert.equal(node.pools.status('gpu-0')?.state, 'failed');
  const lines = node.logged.filter(({ event }) => event === 'registry_unavailable');
  assert.deepEqual(
    lines.map(({ pool_id, level }) => [pool_id, level]),
    [
      ['gpu-0', 50],
      ['gpu-0', 50],
    ],
  );
  assert.match(String(lines[0]?.['last_error']), refusal.message);
});

test('B-METRICS-001, B-METRICS-002: preloads are counted as they end, by engine, and failures by their type', async (t) => {
  const { pools: metrics, text } = nodeMetrics();
  const node = await poolNode(t, { metrics });
  const prepared = await node.prepared();
  const preload = { engine: 'llamacpp', reason: 'HealthTimeout' };
  await node.run('markPoolFailed', { pool_id: 'gpu-0', last_error: 'health check failed', preload });
  await node.run('markPoolFailed', { pool_id: 'gpu-0', last_error: 'its engine was lost' });
  await node.run('markPoolStarting', prepared);
  await node.run('markPoolReady', { prepared, engine: ENGINE, duration_ms: 1 });
  await node.run('markPoolReady', { prepared, engine: ENGINE, duration_ms: 1 }); // Its answer was lost.
  node.pools.reloading('gpu-0');
  await node.run('markPoolReady', { prepared, engine: { ...ENGINE, pid: 4712 }, duration_ms: 1 });
  const counted = (await text()).split('\n').filter((line) => line.startsWith('pool_preload_'));
  assert.deepEqual(counted, [
    'pool_preload_success_total{pool_id="gpu-0",engine="llamacpp"} 1',
    'pool_preload_failure_total{pool_id="gpu-0",engine="llamacpp",reason="HealthTimeout"} 1',
  ]);
});

test('B-LOG-001, B-LOG-002, B-LOG-003, B-LOG-004, B-LOG-007: every line about a pool names it, its engine, version and mask; a failure its error', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared(['--exit-at-start', '3'], { device_mask: '0,1' });
  await node.run('markPoolStarting', prepared);
  const engine = await node.run('spawnEngine', prepared);
  await eventually(
    () => 'the end of the engine',
    () => !isAlive(engine.pid) || undefined,
  );
  await assert.rejects(node.run('awaitEngineReady', { prepared, engine }));
  await assert.rejects(node.run('probeEngine', { prepared, engine }));
  const { pool_id, replica_id } = prepared;
  await node.run('stopEngine', { pool_id, replica_id, reason: 'preload failed', if_missing: 'stopped' });
  await node.run('markPoolFailed', { pool_id, last_error: 'preload failed: code 3' });
  const missing = { ...prepared, binary_path: '/nowhere/llama-server' };
  await assert.rejects(node.run('spawnEngine', missing));
  await node.run('markPoolReady', { prepared, engine: ENGINE, duration_ms: 1 });
  await node.run('markPoolDraining', { pool_id, reason: 'operator', deadline_ms: 1 });
  const outcome = { pool_id, force_stopped: false, duration_ms: 1, final_lease_count: 0 };
  await node.run('markPoolOffline', outcome);

  const lines = node.logged.filter(({ event }) => /^(pool|engine)_/.test(String(event)));
  const events = ['engine_spawned', 'engine_exited', 'engine_probe_failed', 'pool_failed'];
  events.push('engine_spawn_failed', 'pool_ready', 'pool_draining', 'pool_offline');
  for (const event of events)
    assert.ok(
      lines.some((line) => line['event'] === event),
      event,
    );
  for (const { event, pool_id: id, engine: kind, engine_version, device_mask, level, last_error } of lines) {
    assert.deepEqual([event, id, kind], [event, pool_id, 'llamacpp']);
    assert.deepEqual([event, engine_version, device_mask], [event, 'fake-1', '0,1']);
    if (Number(level) >= 50) assert.match(String(last_error), /\w/, String(event));
  }
  const failure = lines.find(({ event }) => event === 'pool_failed');
  assert.equal(failure?.['last_error'], 'preload failed: code 3');
});

test('B-PRELOAD-074: no more pools load at once than the node may, and the next is told to come again', async (t) => {
  const node = await poolNode(t, { parallelPreloads: 2 });
  const pool = (pool_id: string) => node.prepared([], { pool_id });
  const refusal = {
    type: 'POOL_UNAVAILABLE',
    nonRetryable: false,
    nextRetryDelay: 3_000,
    message: 'node node-1 loads as many pools as it may at once: a, b; try again later',
  };
  await node.run('markPoolStarting', await pool('a'));
  await node.run('markPoolStarting', await pool('b'));
  await assert.rejects(node.run('preflight', await pool('c')), refusal);
  await assert.rejects(node.run('markPoolStarting', await pool('c')), refusal);
  assert.equal(node.pools.status('c'), undefined);
  await node.run('markPoolStarting', await pool('a')); // Tried again, it is still one.
  await node.run('markPoolReady', { prepared: await pool('a'), engine: ENGINE, duration_ms: 1 });
  await node.run('preflight', await pool('c'));
  await node.run('markPoolStarting', await pool('c'));
  await node.run('markPoolFailed', { pool_id: 'b', last_error: 'it ended' });
  await node.run('markPoolStarting', await pool('d'));
  assert.deepEqual(node.pools.loading(), ['c', 'd']);
  await node.run('preflight', await pool('a')); // Beside an engine that serves.
});
