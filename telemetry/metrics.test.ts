import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry, type MetricObject } from 'prom-client';
import { readSettings } from '../contracts/settings.js';
import { declareMetrics } from './metrics.js';

/** Name, type and labels of every metric, as the contract fixes them (observability 2.1, 2.3). */
const CONTRACT: Record<string, [type: string, ...labels: string[]]> = {
  tasks_enqueued_total: ['counter', 'engine', 'engine_version', 'pool_id', 'replica_id', 'priority'],
  tasks_started_total: ['counter', 'engine', 'engine_version', 'pool_id', 'replica_id', 'priority'],
  tasks_canceled_total: ['counter', 'engine', 'engine_version', 'pool_id', 'replica_id', 'reason'],
  tasks_rejected_total: ['counter', 'engine', 'reason'],
  queue_depth: ['gauge', 'engine', 'engine_version', 'pool_id', 'priority'],
  kv_cache_usage_ratio: ['gauge', 'engine', 'engine_version', 'pool_id', 'replica_id'],
  gpu_utilization: ['gauge', 'engine', 'engine_version', 'pool_id', 'replica_id', 'device'],
  vram_used_bytes: ['gauge', 'engine', 'engine_version', 'pool_id', 'replica_id', 'device'],
  latency_first_token_ms: ['histogram', 'engine', 'engine_version', 'pool_id', 'priority'],
  latency_decode_ms: ['histogram', 'engine', 'engine_version', 'pool_id', 'priority'],
  tokens_in_total: ['counter', 'engine', 'engine_version', 'pool_id', 'replica_id'],
  tokens_out_total: ['counter', 'engine', 'engine_version', 'pool_id', 'replica_id'],
  deadline_forecasts_total: ['counter', 'pool_id', 'predicted', 'outcome'],
  deadline_forecast_brier_score: ['gauge', 'pool_id'],
  admission_backpressure_events_total: ['counter', 'engine', 'policy'],
  catalog_verifications_total: ['counter', 'result', 'reason', 'engine'],
  model_state: ['gauge', 'model_id', 'state'],
  model_downloads_total: ['counter', 'outcome'],
  model_download_progress_percent: ['gauge', 'model_id'],
  model_download_bytes_total: ['gauge', 'model_id'],
  model_download_bytes_downloaded: ['gauge', 'model_id'],
  placement_decisions_total: ['counter', 'outcome', 'pinned', 'fallback'],
  placement_candidates_considered: ['gauge'],
  pool_preload_success_total: ['counter', 'pool_id', 'engine'],
  pool_preload_failure_total: ['counter', 'pool_id', 'engine', 'reason'],
  pool_ready: ['gauge', 'pool_id'],
  pool_slots_total: ['gauge', 'pool_id'],
  pool_slots_free: ['gauge', 'pool_id'],
  pool_active_leases: ['gauge', 'pool_id'],
  pool_drain_total: ['counter', 'pool_id', 'outcome'],
  pool_drain_force_stop_total: ['counter', 'pool_id'],
  drain_duration_ms: ['histogram', 'pool_id'],
  drain_events_total: ['counter', 'pool_id', 'reason'],
  device_vram_total_bytes: ['gauge', 'device_id'],
  device_vram_free_bytes: ['gauge', 'device_id'],
  pool_handoff_files_processed_total: ['counter', 'pool_id', 'outcome'],
  pool_handoff_processing_duration_ms: ['histogram', 'pool_id'],
  reload_success_total: ['counter', 'pool_id'],
  reload_failure_total: ['counter', 'pool_id', 'reason'],
  reload_duration_ms: ['histogram', 'pool_id', 'outcome'],
  pool_restart_total: ['counter', 'pool_id', 'reason'],
  engine_crash_total: ['counter', 'pool_id', 'reason'],
  backoff_delay_ms: ['histogram', 'pool_id'],
  restart_scheduled_total: ['counter', 'pool_id', 'crash_reason'],
  circuit_breaker_open_total: ['counter', 'pool_id'],
  circuit_breaker_state: ['gauge', 'pool_id', 'circuit'],
  restart_storm_total: ['counter', 'pool_id'],
  restart_rate: ['gauge', 'pool_id'],
  driver_reset_total: ['counter', 'pool_id', 'device'],
  worker_crashes_total: ['counter', 'model_id'],
  pool_health_checks_total: ['counter', 'pool_id', 'outcome'],
  pool_workers_total: ['gauge', 'state', 'backend', 'device'],
  node_memory_total_bytes: ['gauge'],
  node_memory_available_bytes: ['gauge'],
  node_requests_total: ['counter'],
  node_errors_total: ['counter', 'error_kind'],
  node_registrations_total: ['counter', 'outcome'],
  node_heartbeats_total: ['counter', 'node_id', 'outcome'],
  node_deregistrations_total: ['counter', 'outcome'],
  nodes_online: ['gauge'],
  sse_streams_active: ['gauge'],
  sse_backpressure_drops_total: ['counter', 'event_type'],
};

/** Labels that may be used at all: each has a budget of values (observability 2.4), and none is an id. */
const BOUNDED_LABELS = [
  ...[
    'engine',
    'engine_version',
    'pool_id',
    'replica_id',
    'priority',
    'reason',
    'result',
    'state',
    'model_id',
  ],
  ...['outcome', 'pinned', 'fallback', 'device', 'device_id', 'policy', 'event_type'],
  // An installation's nodes are few, and unknown ones are one label.
  ...['crash_reason', 'circuit', 'predicted', 'backend', 'error_kind', 'node_id'],
];

function declared(): { registry: Registry; metrics: MetricObject[] } {
  const registry = new Registry();
  declareMetrics(registry);
  return { registry, metrics: registry.getMetricsAsArray() };
}

function labelsOf(metric: MetricObject): string[] {
  return [...(metric as MetricObject & { labelNames: string[] }).labelNames];
}

describe('declared metrics', () => {
  it('B-OBS-019: have the names, types and labels of the contract, no more and no fewer', async () => {
    const { registry, metrics } = declared();
    const exposition = await registry.metrics();
    const found = metrics.map((metric) => {
      const type = new RegExp(`^# TYPE ${metric.name} (\\w+)$`, 'm').exec(exposition)?.[1];
      return [metric.name, [type, ...labelsOf(metric)]];
    });
    assert.deepEqual(Object.fromEntries(found), CONTRACT);
  });

  it('B-OBS-018, C-143: label with what stays within a budget, never with an id', () => {
    for (const metric of declared().metrics) {
      for (const label of labelsOf(metric)) {
        assert.ok(BOUNDED_LABELS.includes(label), `${metric.name}{${label}}`);
        assert.doesNotMatch(label, /task|session|correlation|user|path|prompt|token/);
      }
    }
  });

  it('B-OBS-012, C-142: histograms have the recommended buckets, cumulative once', async () => {
    const registry = new Registry();
    const { latencyFirstToken, latencyDecode } = declareMetrics(registry);
    const labels = { engine: 'llamacpp', engine_version: 'b1', pool_id: 'default', priority: 'batch' };
    for (const ms of [40, 60, 120]) latencyFirstToken.observe(labels, ms);
    latencyDecode.observe(labels, 700);
    const text = await registry.metrics();
    const bounds = (name: string) =>
      [...text.matchAll(new RegExp(`${name}_bucket\\{le="(\\d+)"`, 'g'))].map(([, le]) => Number(le));
    assert.deepEqual(
      bounds('latency_first_token_ms'),
      [50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000],
    );
    assert.deepEqual(
      bounds('latency_decode_ms'),
      [250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000],
    );
    const count = (le: string) =>
      Number(new RegExp(`latency_first_token_ms_bucket\\{le="${le}"[^}]*\\} (\\d+)`).exec(text)?.[1]);
    assert.deepEqual([count('50'), count('100'), count('150'), count('3000')], [1, 2, 3, 3]);
  });

  it('B-OBS-013: latencies are observed of every task, or of every n-th of a series where the settings say so', async () => {
    const observed = async (latencySample?: number) => {
      const registry = new Registry();
      const { latencyDecode } = declareMetrics(
        registry,
        latencySample === undefined ? {} : { latencySample },
      );
      const labels = (pool_id: string) => ({
        ...{ engine: 'llamacpp', engine_version: 'b1', pool_id, priority: 'batch' },
      });
      for (const ms of [1, 2, 4, 8, 16, 32]) latencyDecode.observe(labels('a'), ms);
      latencyDecode.observe(labels('b'), 64);
      const text = await registry.metrics();
      return [...text.matchAll(/^latency_decode_ms_(?:sum|count)\{.*\} (\d+)$/gm)].map(([, n]) => Number(n));
    };
    assert.deepEqual(await observed(), [63, 6, 64, 1]);
    assert.deepEqual(await observed(3), [9, 2, 64, 1]);
    assert.equal(readSettings({}).DROVER_METRICS_LATENCY_SAMPLE, 1);
  });

  it('B-OBS-010, B-OBS-011: a counter adds to its series, a gauge replaces it', async () => {
    const registry = new Registry();
    const { tasksRejected, queueDepth } = declareMetrics(registry);
    tasksRejected.inc({ engine: 'vllm', reason: 'INVALID_PARAMS' });
    tasksRejected.inc({ engine: 'vllm', reason: 'INVALID_PARAMS' }, 2);
    const series = { engine: 'vllm', engine_version: '', pool_id: 'p', priority: 'batch' };
    queueDepth.set(series, 5);
    queueDepth.set(series, 2);
    const text = await registry.metrics();
    assert.match(text, /^tasks_rejected_total\{engine="vllm",reason="INVALID_PARAMS"\} 3$/m);
    assert.match(text, /^queue_depth\{.*priority="batch"\} 2$/m);
  });

  it('B-OBS-002, B-OBS-003, B-OBS-004, B-OBS-005: are announced with type and help before anything has moved', async () => {
    const text = await declared().registry.metrics();
    for (const [name, [type]] of Object.entries(CONTRACT)) {
      assert.match(text, new RegExp(`^# HELP ${name} \\S.*$`, 'm'));
      assert.match(text, new RegExp(`^# TYPE ${name} ${type}$`, 'm'));
    }
  });
});
