import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CrashKind } from '../../domain/crash.js';
import { nodeMetrics } from './prometheus.js';

const POOL = 'gpu-0';
const moved = (new_state: 'closed' | 'open' | 'half_open') =>
  ({ circuit: 'general', old_state: 'closed', new_state, failure_count: 5 }) as const;

test('B-SUPER-042, B-SUPER-043: the gauge of a circuit follows its state, and each opening is counted', async () => {
  const { pools, text } = nodeMetrics();
  for (const [state, value] of [
    ['open', 1],
    ['half_open', 2],
    ['closed', 0],
  ] as const) {
    pools.circuitMoved(POOL, moved(state));
    const line = `circuit_breaker_state{pool_id="${POOL}",circuit="general"} ${value}\n`;
    assert.ok((await text()).includes(line), state);
  }
  assert.match(await text(), /^circuit_breaker_open_total\{pool_id="gpu-0"\} 1$/m);
});

test('B-SUPER-027, B-METRICS-006, B-METRICS-007: a restart is counted when it is planned and when it begins, its delay is observed', async () => {
  const { pools, text } = nodeMetrics();
  pools.restartPlanned(POOL, 'cuda_error', 3_500);
  pools.restarted(POOL, 'cuda_error');
  const page = await text();
  assert.match(page, /^restart_scheduled_total\{pool_id="gpu-0",crash_reason="cuda_error"\} 1$/m);
  assert.match(page, /^pool_restart_total\{pool_id="gpu-0",reason="cuda_error"\} 1$/m);
  assert.match(page, /^backoff_delay_ms_sum\{pool_id="gpu-0"\} 3500$/m);
  const bounds = [...page.matchAll(/backoff_delay_ms_bucket\{le="(\d+)"/g)].map(([, le]) => Number(le));
  assert.deepEqual(bounds, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]);
});

test('B-SUPER-037: a storm is counted, and the rate is the restarts of the last minute', async () => {
  const { pools, text } = nodeMetrics();
  for (let restart = 0; restart < 3; restart += 1) pools.restarted(POOL, 'signal');
  pools.storm(POOL, { kind: 'restart_storm', count: 10, window_ms: 30_000 });
  pools.storm(POOL, { kind: 'oom_storm', count: 5, window_ms: 60_000 });
  const page = await text();
  assert.match(page, /^restart_storm_total\{pool_id="gpu-0"\} 1$/m);
  assert.match(page, /^restart_rate\{pool_id="gpu-0"\} 3$/m);
});

test('B-SUPER-015, B-METRICS-005: resets of the driver are counted by device, and as crashes', async () => {
  const { pools, text } = nodeMetrics();
  const served = { device: 'GPU0', modelRef: 'm' };
  pools.crashed(POOL, 'signal', served);
  pools.crashed(POOL, 'driver_reset', served);
  pools.crashed(POOL, 'driver_reset', { device: null, modelRef: 'm' });
  const page = await text();
  assert.match(page, /^driver_reset_total\{pool_id="gpu-0",device="GPU0"\} 1$/m);
  assert.match(page, /^driver_reset_total\{pool_id="gpu-0",device="all"\} 1$/m);
  assert.match(page, /^engine_crash_total\{pool_id="gpu-0",reason="driver_reset"\} 2$/m);
});

test('B-OBS-033: crashes are counted by the model that was served, and an exit in good order is none', async () => {
  const { pools, text } = nodeMetrics();
  const crashed = (modelRef: string, kind: CrashKind = 'signal') =>
    pools.crashed(POOL, kind, { device: null, modelRef });
  crashed('one');
  crashed('two');
  crashed('one', 'cuda_error');
  crashed('two', 'graceful_exit');
  const counted = (await text()).split('\n').filter((line) => line.startsWith('worker_crashes_total{'));
  assert.deepEqual(counted, [
    'worker_crashes_total{model_id="one"} 2',
    'worker_crashes_total{model_id="two"} 1',
  ]);
});
