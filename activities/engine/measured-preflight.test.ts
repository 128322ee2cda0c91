/** Preflight goes by what is measured on the node: memory, GPUs, ports; tests change what there is to measure. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeGpus } from '../../testing/fake-gpus.js';
import { freePort } from '../../testing/free-port.js';
import { causeOf, failureOf, resize, takePort } from '../../testing/launch-checks.js';
import { poolNode } from '../../testing/pool-node.js';
import { workerReports } from '../../workers/node/report-workers.js';
import { readEnvironment } from '../process/process-table.js';

test('B-WPRE-017, B-WPRE-013: memory and GPUs are measured anew at each look, and the verdict has what was measured', async (t) => {
  const smi = await fakeGpus(t, [{ index: '0', celsius: 83 }]);
  let freeMemory = 2 * 1024 ** 2;
  const machine = { ...(await poolNode(t)).deps.machine, freeMemoryBytes: () => freeMemory };
  const node = await poolNode(t, { env: () => ({ PATH: smi.PATH }), machine, gpuMaxCelsius: 82 });
  const onCpu = await node.prepared();
  await resize(onCpu.model_path, 4);
  const short = causeOf(await failureOf(node.run('preflight', onCpu)));
  assert.deepEqual([short['available_mb'], short['required_mb'], short['model_size_mb']], [2, 6, 4]);
  freeMemory = 6 * 1024 ** 2;
  assert.equal((await node.run('preflight', onCpu)).serving, null);

  const onGpu = { ...onCpu, backend: 'cuda' as const, device_mask: '0' };
  const hot = await failureOf(node.run('preflight', onGpu));
  assert.deepEqual([hot.type, hot.nonRetryable], ['GpuTooHot', false]);
  const { temperature_celsius, limit_celsius } = causeOf(hot);
  assert.deepEqual([temperature_celsius, limit_celsius], [83, 82]);
  await smi.change([{ index: '0', celsius: 82 }]);
  assert.equal((await node.run('preflight', onGpu)).serving, null);
});

test('B-WPRE-005: memory is read again right before the spawn, and a launch that it has left is not started', async (t) => {
  const MIB = 1024 ** 2;
  let freeMemory = 10 * MIB;
  const machine = { ...(await poolNode(t)).deps.machine, freeMemoryBytes: () => freeMemory };
  const node = await poolNode(t, { machine });
  const wanted = await node.prepared();
  await resize(wanted.model_path, 4);
  const { prepared, ram } = await node.run('preflight', wanted);
  assert.deepEqual(ram, { required_bytes: 6 * MIB, available_bytes: 10 * MIB });
  freeMemory = 6 * MIB - 1;
  const failure = await failureOf(node.run('spawnEngine', prepared, { more: [ram] }));
  assert.deepEqual([failure.type, failure.nonRetryable], ['InsufficientRam', false]);
  assert.match(failure.message, /decreased from 10485760 to 6291455 bytes since preflight/);
  const { cause_code, required_mb, available_mb, available_before_mb } = causeOf(failure);
  assert.deepEqual(
    [cause_code, required_mb, available_mb, available_before_mb],
    ['INSUFFICIENT_RAM', 6, 5, 10],
  );
  assert.equal(node.logged.filter(({ event }) => event === 'engine_spawned').length, 0);
  freeMemory = 6 * MIB;
  const engine = await node.run('spawnEngine', prepared, { more: [ram] });
  freeMemory = 0;
  const again = await node.run('spawnEngine', prepared, { more: [ram], attempt: 2 });
  assert.equal(again.pid, engine.pid, 'what runs already has its memory');
});

test('B-WPRE-012: the GPU of a launch without a device is chosen, logged, given to the engine and shown, and is no other launch', async (t) => {
  const smi = await fakeGpus(t, [
    { index: '0', freeMib: 8_000 },
    { index: '1', freeMib: 24_000 },
  ]);
  const env = { ...process.env, PATH: `${smi.PATH}:${process.env['PATH']}` };
  const node = await poolNode(t, { env: () => env });
  const wanted = await node.prepared([], { backend: 'cuda' });
  const { prepared } = await node.run('preflight', wanted);
  assert.deepEqual([prepared.device_mask, prepared.device_chosen], [null, '1']);
  const line = node.logged.find(({ event }) => event === 'device_chosen');
  assert.deepEqual([line?.['device_chosen'], line?.['vram_free_bytes']], ['1', 24_000 * 1024 ** 2]);
  const engine = await node.run('spawnEngine', prepared);
  assert.equal((await readEnvironment(engine.pid))?.get('CUDA_VISIBLE_DEVICES'), '1');
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  assert.equal(workerReports('node-1', node.pools.all())[0]?.device, '1');
  assert.equal((await node.run('preflight', wanted)).serving?.pid, engine.pid);
  const other = await node.run('preflight', { ...wanted, pool_id: 'gpu-1', device_chosen: '1' });
  assert.equal(other.prepared.device_chosen, '0', 'another pool gets a GPU that nobody has');
});

test('B-WRK-005: an engine whose port is taken gets the next of the range, which is shown; where none is free it is refused', async (t) => {
  const first = await freePort();
  const range = { first, last: first };
  const node = await poolNode(t, { enginePorts: range });
  const wanted = await node.prepared();
  await takePort(t, wanted.port);
  const { prepared } = await node.run('preflight', wanted);
  assert.equal(prepared.port, first);
  const engine = await node.run('spawnEngine', prepared);
  assert.equal(engine.url, `http://127.0.0.1:${first}`);
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  assert.equal(workerReports('node-1', node.pools.all())[0]?.url, engine.url);
  const refused = await failureOf(node.run('preflight', { ...wanted, pool_id: 'gpu-1' }));
  assert.deepEqual([refused.type, causeOf(refused)['cause_code']], ['SpawnFailed', 'PORT_BIND_FAILED']);
  assert.match(refused.message, new RegExp(`${first}-${first}`));
});

test('B-WPRE-016: one answer names everything that keeps an engine from being started, and nothing is started', async (t) => {
  const smi = await fakeGpus(t, [{ index: '0', freeMib: 0, celsius: 95 }]);
  const node = await poolNode(t, { env: () => ({ PATH: smi.PATH }) });
  const wanted = await node.prepared(['--n-gpu-layers', '0'], { backend: 'cuda', binary_path: '/no/engine' });
  await takePort(t, wanted.port);
  const failure = await failureOf(node.run('preflight', { ...wanted, port_fixed: true }));
  for (const said of [/\/no\/engine: ENOENT/, /--n-gpu-layers 0/, /\(available\)/, /95 °C/, /is taken/])
    assert.match(failure.message, said);
  assert.equal(failure.type, 'SpawnFailed');
  assert.equal((causeOf(failure)['reasons'] as unknown[]).length, 5);
  const line = node.logged.find(({ event }) => event === 'preflight_refused');
  assert.match(String(line?.['human']), /5 reasons.*WORKER_BINARY_NOT_FOUND/);
});
