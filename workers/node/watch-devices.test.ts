import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { findGpuTools, queryDevices } from '../../activities/engine/gpu-tools.js';
import { eventually } from '../../testing/changes.js';
import { fakeGpus, type FakeGpu } from '../../testing/fake-gpus.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { nodeMetrics } from './prometheus.js';
import { DeviceWatch } from './watch-devices.js';

const MIB = 1024 * 1024;

async function watched(t: TestContext, gpus: readonly FakeGpu[]) {
  const smi = await fakeGpus(t, gpus);
  const env = { PATH: smi.PATH };
  const node = await poolNode(t, { env: () => env });
  const metrics = nodeMetrics();
  const query = async () => queryDevices(await findGpuTools(env), env);
  const { pools, deps } = node;
  const watch = new DeviceWatch({ query, pools, gauge: metrics.devices, log: deps.log, now: () => 77 });
  t.after(() => watch.stop());
  /** The gauge's series, as Prometheus reads them. */
  const series = async (name: string) =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith(`${name}{`));
  return { smi, node, watch, series };
}

async function serve(node: PoolNode, pool_id: string, device_mask: string | null): Promise<void> {
  const prepared = await node.prepared([], { pool_id, backend: 'cuda', device_mask });
  node.pools.ready({ prepared, url: 'http://127.0.0.1:1', pid: 1, startTicks: '1' });
}

function stateOf(node: PoolNode, poolId: string) {
  const { ready, last_error } = node.pools.status(poolId) ?? {};
  return { ready, last_error };
}

test('B-PREFLIGHT-015 B-METRICS-003 B-METRICS-004: the snapshot and the gauges show every device as the driver last said', async (t) => {
  const { smi, watch, series } = await watched(t, [
    { index: '0', totalMib: 100, freeMib: 40 },
    { index: '1' },
  ]);
  assert.deepEqual(watch.snapshot(), { devices: [], problem: null, seen_at_ms: null });
  await watch.look();
  const { devices, seen_at_ms } = watch.snapshot();
  assert.equal(seen_at_ms, 77);
  assert.deepEqual(devices[0], {
    index: '0',
    uuid: 'GPU-0',
    name: 'NVIDIA H100 80GB HBM3',
    compute_capability: '9.0',
    vram_total_bytes: 100 * MIB,
    vram_free_bytes: 40 * MIB,
    temperature_celsius: 34,
    mig_devices: [],
  });
  assert.deepEqual(await series('device_vram_total_bytes'), [
    `device_vram_total_bytes{device_id="0"} ${100 * MIB}`,
    `device_vram_total_bytes{device_id="1"} ${81_559 * MIB}`,
  ]);
  assert.equal(
    (await series('device_vram_free_bytes'))[0],
    `device_vram_free_bytes{device_id="0"} ${40 * MIB}`,
  );
  await smi.change([{ index: '0', totalMib: 100, freeMib: 10 }]);
  await watch.look();
  assert.deepEqual(await series('device_vram_free_bytes'), [
    `device_vram_free_bytes{device_id="0"} ${10 * MIB}`,
  ]);
  assert.equal(watch.snapshot().devices.length, 1);
});

test('B-PREFLIGHT-015: it is refreshed again and again', async (t) => {
  const { smi, watch } = await watched(t, [{ index: '0', freeMib: 40 }]);
  const free = (mib: number) => () => watch.snapshot().devices[0]?.vram_free_bytes === mib * MIB || undefined;
  watch.start(20);
  await eventually(() => 'the first look', free(40));
  await smi.change([{ index: '0', freeMib: 10 }]);
  await eventually(() => 'a later look', free(10));
});

test('B-DEVICE-017: a masked GPU that is listed no longer makes its pool not ready, and the reason names it', async (t) => {
  const { smi, node, watch } = await watched(t, [{ index: '0' }, { index: '1' }]);
  await serve(node, 'both', '0,GPU1');
  await serve(node, 'first', '0');
  await serve(node, 'any', null);
  await watch.look();
  assert.deepEqual(stateOf(node, 'both'), { ready: true, last_error: null });
  await smi.change([{ index: '0' }]);
  await watch.look();
  assert.deepEqual(stateOf(node, 'both'), {
    ready: false,
    last_error: 'device 1 of the mask "0,GPU1" is gone; the node has 0 (NVIDIA H100 80GB HBM3)',
  });
  for (const pool of ['first', 'any']) assert.equal(stateOf(node, pool).ready, true, pool);
  assert.equal(node.logged.filter(({ event }) => event === 'device_gone').length, 1);
});

test('a driver that does not answer is told once, and takes nobody’s work away', async (t) => {
  const { smi, node, watch } = await watched(t, [{ index: '0' }]);
  await serve(node, 'first', '0');
  await watch.look();
  await smi.fail('Failed to initialize NVML: Driver/library version mismatch');
  await watch.look();
  await watch.look();
  assert.match(watch.snapshot().problem ?? '', /code 18.*version mismatch/);
  assert.equal(watch.snapshot().devices.length, 1);
  assert.equal(stateOf(node, 'first').ready, true);
  assert.equal(node.logged.filter(({ event }) => event === 'devices_unknown').length, 1);
});

test('a node without a driver has no devices, and no problem', async (t) => {
  const { node, watch } = await watched(t, []);
  const none = new DeviceWatch({
    query: () => Promise.resolve(undefined),
    pools: node.pools,
    gauge: () => undefined,
    log: node.deps.log,
    now: () => 77,
  });
  await serve(node, 'first', '0');
  await none.look();
  assert.deepEqual(none.snapshot(), { devices: [], problem: null, seen_at_ms: 77 });
  assert.equal(stateOf(node, 'first').ready, true);
  await watch.look(); // A driver that lists nothing is another matter.
  assert.equal(stateOf(node, 'first').ready, false);
});
