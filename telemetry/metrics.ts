/**
 * Every metric of the contract, declared once (observability 2.1, 2.2, 2.4): names, types, labels and buckets are fixed, and
 * `metrics.test.ts` holds the table they are compared with. API and node worker both announce all of them; each moves
 * only what it owns (B-OBS-016). An id is never a label.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { sampled } from './sampled-histogram.js';

const TASK = ['engine', 'engine_version', 'pool_id', 'replica_id', 'priority'] as const;
const REPLICA = ['engine', 'engine_version', 'pool_id', 'replica_id'] as const;
const DEVICE = [...REPLICA, 'device'] as const;
const CLASS = ['engine', 'engine_version', 'pool_id', 'priority'] as const;

const FIRST_TOKEN_BUCKETS_MS = [50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000];
const DECODE_BUCKETS_MS = [250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000];

/** Also of reloads. An idle pool drains in milliseconds; long generations take minutes. */
const DRAIN_BUCKETS_MS = [100, 500, 1000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000];
/** Powers of two of the first delay, up to the cap (observability 2.4). */
const BACKOFF_BUCKETS_MS = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000];
/** A health poll and one token. */
const HANDOFF_BUCKETS_MS = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** How the metrics are kept. */
export interface MetricsOptions {
  /** Every how many tasks of one series its latencies are observed, default 1: each (B-OBS-013). */
  latencySample?: number;
}

/** Declares the contract's metrics in `registry`; their TYPE and HELP are announced from then on. */
export function declareMetrics(registry: Registry, { latencySample = 1 }: MetricsOptions = {}) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: number[],
  ) => new Histogram({ name, help, labelNames, buckets, registers });
  return {
    tasksEnqueued: counter('tasks_enqueued_total', 'Tasks admitted.', TASK),
    tasksStarted: counter('tasks_started_total', 'Tasks whose decoding began on a slot.', TASK),
    tasksCanceled: counter('tasks_canceled_total', 'Tasks cancelled, by who asked for it.', [
      ...REPLICA,
      'reason',
    ]),
    tasksRejected: counter('tasks_rejected_total', 'Tasks refused, by error code.', ['engine', 'reason']),
    queueDepth: gauge('queue_depth', 'Tasks that wait.', CLASS),
    kvCacheUsage: gauge('kv_cache_usage_ratio', 'Share of the attention cache in use, 0 to 1.', REPLICA),
    gpuUtilization: gauge('gpu_utilization', 'Load of the device in percent.', DEVICE),
    vramUsed: gauge('vram_used_bytes', 'Device memory in use.', DEVICE),
    latencyFirstToken: sampled(
      histogram(
        'latency_first_token_ms',
        'From admission to the first token.',
        CLASS,
        FIRST_TOKEN_BUCKETS_MS,
      ),
      latencySample,
    ),
    latencyDecode: sampled(
      histogram('latency_decode_ms', 'Decode time of a whole stream.', CLASS, DECODE_BUCKETS_MS),
      latencySample,
    ),
    tokensIn: counter('tokens_in_total', 'Prompt tokens of finished streams.', REPLICA),
    tokensOut: counter('tokens_out_total', 'Tokens put out.', REPLICA),
    deadlineForecasts: counter(
      'deadline_forecasts_total',
      'Runs whose chance of ending in time was told, by the tenth of the scale (its upper bound) and by how they ended.',
      ['pool_id', 'predicted', 'outcome'],
    ),
    deadlineBrierScore: gauge(
      'deadline_forecast_brier_score',
      'Mean squared error of the last 200 forecasts: 0 is perfect, 0.25 knows nothing.',
      ['pool_id'],
    ),
    backpressure: counter(
      'admission_backpressure_events_total',
      'Times that the policy of a full queue acted.',
      ['engine', 'policy'],
    ),
    catalogVerifications: counter('catalog_verifications_total', 'Verifications of catalogued models.', [
      'result',
      'reason',
      'engine',
    ]),
    modelState: gauge('model_state', '1 for the state that a model is in, 0 for the other.', [
      'model_id',
      'state',
    ]),
    modelDownloads: counter('model_downloads_total', 'Attempts at files of models, by how they ended.', [
      'outcome',
    ]),
    modelDownloadProgress: gauge(
      'model_download_progress_percent',
      'Share of the file of a model that is being fetched.',
      ['model_id'],
    ),
    modelDownloadTotal: gauge('model_download_bytes_total', 'Size of that file.', ['model_id']),
    modelDownloadDone: gauge('model_download_bytes_downloaded', 'Bytes of it that are there.', ['model_id']),
    placementDecisions: counter('placement_decisions_total', 'Placements decided.', [
      'outcome',
      'pinned',
      'fallback',
    ]),
    placementCandidates: gauge('placement_candidates_considered', 'Pools weighed in the last placement.', []),
    preloadSuccesses: counter('pool_preload_success_total', 'Preloads after which the engine serves.', [
      'pool_id',
      'engine',
    ]),
    preloadFailures: counter(
      'pool_preload_failure_total',
      'Preloads that failed, by the type of the failure.',
      ['pool_id', 'engine', 'reason'],
    ),
    poolReady: gauge('pool_ready', '1 while the pool takes work, else 0.', ['pool_id']),
    poolSlotsTotal: gauge('pool_slots_total', 'Tasks that the pool runs at once.', ['pool_id']),
    poolSlotsFree: gauge('pool_slots_free', 'Slots without a lease.', ['pool_id']),
    poolActiveLeases: gauge('pool_active_leases', 'Slots that a task holds.', ['pool_id']),
    poolDrains: counter('pool_drain_total', 'Drains that have ended, by how.', ['pool_id', 'outcome']),
    poolDrainForceStops: counter(
      'pool_drain_force_stop_total',
      'Drains whose deadline passed with tasks running.',
      ['pool_id'],
    ),
    drainDuration: histogram(
      'drain_duration_ms',
      'From the order of a drain to the engine being gone.',
      ['pool_id'],
      DRAIN_BUCKETS_MS,
    ),
    drainEvents: counter('drain_events_total', 'Drains begun, by who asked for them.', ['pool_id', 'reason']),
    deviceVramTotal: gauge('device_vram_total_bytes', 'Memory of the device.', ['device_id']),
    deviceVramFree: gauge('device_vram_free_bytes', 'Memory of the device that is free.', ['device_id']),
    handoffsProcessed: counter(
      'pool_handoff_files_processed_total',
      'Handoff files taken up, by how that ended.',
      ['pool_id', 'outcome'],
    ),
    handoffDuration: histogram(
      'pool_handoff_processing_duration_ms',
      'From reading a handoff file to its outcome.',
      ['pool_id'],
      HANDOFF_BUCKETS_MS,
    ),
    reloadSuccesses: counter('reload_success_total', 'Reloads after which the new engine serves.', [
      'pool_id',
    ]),
    reloadFailures: counter('reload_failure_total', 'Reloads that failed, by the type of the failure.', [
      'pool_id',
      'reason',
    ]),
    reloadDuration: histogram(
      'reload_duration_ms',
      'From the order of a reload to its end.',
      ['pool_id', 'outcome'],
      DRAIN_BUCKETS_MS,
    ),
    restarts: counter('pool_restart_total', 'Restarts of crashed engines, by why they crashed.', [
      'pool_id',
      'reason',
    ]),
    crashes: counter('engine_crash_total', 'Engines that were gone though nobody had asked for it.', [
      'pool_id',
      'reason',
    ]),
    backoffDelay: histogram('backoff_delay_ms', 'Delay before a restart.', ['pool_id'], BACKOFF_BUCKETS_MS),
    restartsScheduled: counter('restart_scheduled_total', 'Restarts that were planned.', [
      'pool_id',
      'crash_reason',
    ]),
    circuitOpenings: counter('circuit_breaker_open_total', 'Times that a circuit has opened.', ['pool_id']),
    circuitState: gauge('circuit_breaker_state', '0 closed, 1 open, 2 half-open.', ['pool_id', 'circuit']),
    restartStorms: counter('restart_storm_total', 'Restart storms.', ['pool_id']),
    restartRate: gauge('restart_rate', 'Restarts in the last 60 s.', ['pool_id']),
    workerCrashes: counter('worker_crashes_total', 'Engines that crashed, by the model that they served.', [
      'model_id',
    ]),
    healthChecks: counter('pool_health_checks_total', 'Health polls of engines that serve, by outcome.', [
      'pool_id',
      'outcome',
    ]),
    poolWorkers: gauge('pool_workers_total', 'Engines of the node, by state.', [
      'state',
      'backend',
      'device',
    ]),
    nodeMemoryTotal: gauge('node_memory_total_bytes', 'Main memory of the node.', []),
    nodeMemoryAvailable: gauge(
      'node_memory_available_bytes',
      'Main memory that a new engine could have without anything being swapped out.',
      [],
    ),
    nodeRequests: counter('node_requests_total', 'Requests that the node gateway has answered.', []),
    nodeErrors: counter('node_errors_total', 'Requests that it refused or failed at, by error code.', [
      'error_kind',
    ]),
    driverResets: counter('driver_reset_total', 'Crashes by a reset of the driver or an ECC error.', [
      'pool_id',
      'device',
    ]),
    nodeRegistrations: counter(
      'node_registrations_total',
      'Node workers that registered, by how that ended.',
      ['outcome'],
    ),
    nodeHeartbeats: counter('node_heartbeats_total', 'Heartbeats of node workers, by how they were taken.', [
      'node_id',
      'outcome',
    ]),
    nodeDeregistrations: counter(
      'node_deregistrations_total',
      'Node workers that took their leave, by how that ended.',
      ['outcome'],
    ),
    nodesOnline: gauge('nodes_online', 'Node workers that report.', []),
    streamsActive: gauge('sse_streams_active', 'Event streams that clients hold open.', []),
    streamDrops: counter('sse_backpressure_drops_total', "Events left out of a slow reader's stream.", [
      'event_type',
    ]),
  };
}

/** The contract's metrics, ready to be moved. */
export type Metrics = ReturnType<typeof declareMetrics>;
