import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preparedEngine } from '../../contracts/pool.js';
import { ManualEngine } from '../../testing/test-node.js';
import { crashOf } from '../../testing/supervision-stage.js';
import { PoolRegistry } from './pool-registry.js';
import { nodeMetrics } from './prometheus.js';
import { workerReports } from './report-workers.js';

function node() {
  const effects = { dispatch: () => undefined };
  const pools = new PoolRegistry(16, () => new ManualEngine(), effects, Date.now);
  const { text } = nodeMetrics({
    pools: () => pools.snapshot(),
    workers: () => workerReports('node-1', pools.all()),
    memory: () => ({ total_bytes: 64, available_bytes: 16 }),
  });
  const engine = (pool_id: string, model_ref: string, pid = 1) => {
    const prepared = preparedEngine.parse({
      ...{ pool_id, model_ref, engine_version: 'b1', binary_path: '/bin/true', port: 1 },
      ...{ model_path: '/m.gguf', slots_total: 3, ctx_max: 64, backend: 'cpu' },
    });
    return { prepared, url: 'http://127.0.0.1:1', pid, startTicks: '1' };
  };
  /** Series of one metric, as they stand in the text. */
  const series = async (name: string) =>
    (await text()).split('\n').filter((line) => line.startsWith(`${name}{`));
  return { pools, engine, series };
}

test('B-METRICS-008, B-METRICS-009, B-METRICS-010: slots and leases of every pool are shown as they are when they are read', async () => {
  const { pools, engine, series } = node();
  pools.ready(engine('a', 'one'));
  pools.ready(engine('b', 'one'));
  pools.failed('c', 'never loaded');
  const { scheduler } = pools.ensure('a');
  for (const task of ['t1', 't2']) scheduler.enqueue(task, 'interactive');
  scheduler.pump();
  assert.deepEqual(await series('pool_slots_total'), [
    'pool_slots_total{pool_id="a"} 3',
    'pool_slots_total{pool_id="b"} 3',
  ]);
  assert.deepEqual(await series('pool_slots_free'), [
    'pool_slots_free{pool_id="a"} 1',
    'pool_slots_free{pool_id="b"} 3',
  ]);
  assert.deepEqual(await series('pool_active_leases'), [
    'pool_active_leases{pool_id="a"} 2',
    'pool_active_leases{pool_id="b"} 0',
    'pool_active_leases{pool_id="c"} 0',
  ]);
  scheduler.release('t1');
  assert.equal((await series('pool_active_leases'))[0], 'pool_active_leases{pool_id="a"} 1');
  assert.equal((await series('pool_slots_free'))[0], 'pool_slots_free{pool_id="a"} 2');
});

test('B-CP-038: pool_ready is 0 while a pool is reloaded or drained, and 1 when it takes work again', async () => {
  const { pools, engine, series } = node();
  const ready = async () => (await series('pool_ready'))[0]?.split(' ')[1];
  pools.starting(engine('a', 'one').prepared);
  assert.equal(await ready(), '0');
  pools.ready(engine('a', 'one'));
  assert.equal(await ready(), '1');
  pools.reloading('a');
  assert.equal(await ready(), '0');
  pools.switched(engine('a', 'two', 2));
  assert.equal(await ready(), '1');
  assert.equal(pools.status('a')?.draining, false);
  pools.draining('a');
  assert.equal(await ready(), '0');
});

test('B-CP-032, C-131: after a reload the new model is active and the old one retired, unless another pool serves it', async () => {
  const { pools, engine, series } = node();
  const states = async () => {
    const lines = await series('model_state');
    return lines.map((line) => /model_id="(\w+)",state="(\w+)"\} (\d)/.exec(line)?.slice(1).join(' '));
  };
  pools.ready(engine('a', 'one'));
  assert.deepEqual(await states(), ['one Active 1', 'one Retired 0']);
  pools.ready(engine('b', 'one', 3));
  pools.switched(engine('a', 'two', 2));
  assert.deepEqual(await states(), ['one Active 1', 'one Retired 0', 'two Active 1', 'two Retired 0']);
  pools.switched(engine('b', 'two', 4));
  assert.deepEqual(await states(), ['one Active 0', 'one Retired 1', 'two Active 1', 'two Retired 0']);
});

test('forecasts are counted by what they said and how it ended, and a pool is told how good its own were', async () => {
  const { runs, text } = nodeMetrics();
  runs.judged('a', 0.97, true);
  runs.judged('a', 0.93, true);
  runs.judged('a', 0.5, false);
  runs.judged('b', 0, true);
  const lines = (await text()).split('\n').filter((line) => line.startsWith('deadline_'));
  assert.deepEqual(lines.slice(0, 3), [
    'deadline_forecasts_total{pool_id="a",predicted="1.0",outcome="met"} 2',
    'deadline_forecasts_total{pool_id="a",predicted="0.6",outcome="missed"} 1',
    'deadline_forecasts_total{pool_id="b",predicted="0.1",outcome="met"} 1',
  ]);
  const score = Number(lines[3]?.split(' ')[1]);
  assert.ok(lines[3]?.includes('deadline_forecast_brier_score{pool_id="a"}'));
  assert.ok(Math.abs(score - (0.03 ** 2 + 0.07 ** 2 + 0.5 ** 2) / 3) < 1e-9, lines[3]);
  assert.equal(lines[4], 'deadline_forecast_brier_score{pool_id="b"} 1');
});

test('B-OBS-030: the engines of a node are counted by state', async () => {
  const { pools, engine, series } = node();
  for (const pool of ['a', 'b', 'c']) pools.ready(engine(pool, 'one'));
  assert.deepEqual(await series('pool_workers_total'), [
    'pool_workers_total{state="idle",backend="cpu",device=""} 3',
  ]);
  pools.crashed({ ...crashOf('b', 1), prepared: engine('b', 'one').prepared });
  assert.deepEqual(await series('pool_workers_total'), [
    'pool_workers_total{state="idle",backend="cpu",device=""} 2',
    'pool_workers_total{state="crashed",backend="cpu",device=""} 1',
  ]);
});

test('OC-POOL-3030: preloads, memory of devices and of the node, resets of drivers and restarts can be seen', async () => {
  const memory = () => ({ total_bytes: 64, available_bytes: 16 });
  const { pools, devices, text } = nodeMetrics({ memory });
  pools.preloadEnded('a', 'vllm', null);
  pools.preloadEnded('a', 'vllm', 'HealthTimeout');
  const gpu = {
    index: '0',
    uuid: null,
    name: 'a GPU',
    compute_capability: '9.0',
    temperature_celsius: 34,
    mig_devices: [],
  };
  devices([{ ...gpu, vram_total_bytes: 8, vram_free_bytes: 4 }]);
  pools.crashed('a', 'driver_reset', { device: 'GPU0', modelRef: 'm' });
  pools.restarted('a', 'driver_reset');
  const lines = (await text()).split('\n');
  for (const line of [
    'pool_preload_success_total{pool_id="a",engine="vllm"} 1',
    'pool_preload_failure_total{pool_id="a",engine="vllm",reason="HealthTimeout"} 1',
    'device_vram_total_bytes{device_id="0"} 8',
    'device_vram_free_bytes{device_id="0"} 4',
    'node_memory_total_bytes 64',
    'node_memory_available_bytes 16',
    'driver_reset_total{pool_id="a",device="GPU0"} 1',
    'pool_restart_total{pool_id="a",reason="driver_reset"} 1',
  ])
    assert.ok(lines.includes(line), line);
});
