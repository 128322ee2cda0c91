import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeGpus } from '../../testing/fake-gpus.js';
import { poolNode } from '../../testing/pool-node.js';

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

test('B-PRELOAD-021 B-PRELOAD-023 B-PRELOAD-024: a pool whose engine has proved itself is live and ready, with its version', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared([], { engine_version: 'b1234' });
  await node.run('markPoolFailed', { pool_id: 'gpu-0', last_error: 'an earlier preload failed' });
  await node.run('markPoolReady', { prepared, engine: ENGINE, duration_ms: 77 });
  const status = node.pools.status('gpu-0');
  assert.deepEqual([status?.live, status?.ready, status?.engine_version], [true, true, 'b1234']);
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
