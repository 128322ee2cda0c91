/** The node's metrics on Prometheus' registry: what runs say, in the contract's names (observability 2.1). */
import { Registry } from 'prom-client';
import type { ModelMetrics, PoolMetrics } from '../../activities/deps.js';
import type { PoolStatus } from '../../contracts/pool.js';
import type { WorkerReport } from '../../contracts/worker-report.js';
import type { GpuDevice } from '../../domain/gpu.js';
import { CIRCUIT_GAUGE } from '../../domain/circuit.js';
import { Forecasts, tenthOf } from '../../domain/on-time.js';
import { countWithin, withOneMore } from '../../domain/restart-window.js';
import { declareMetrics, type Metrics, type MetricsOptions } from '../../telemetry/metrics.js';
import type { RunLabels, RunMetrics } from './run-metrics.js';
import type { HandoffWatchDeps } from './watch-handoffs.js';

/** `restart_rate` counts the restarts of so long (B-SUPER-037). */
const RATE_WINDOW_MS = 60_000;

/** The node's metrics: what runs move, what the watch of the devices shows, and the text that a scrape reads. */
export interface NodeMetrics {
  runs: RunMetrics;
  /** Operations on pools. */
  pools: PoolMetrics;
  /** Models that are fetched. */
  models: ModelMetrics;
  /** Shows these devices and no others. */
  devices: (devices: readonly GpuDevice[]) => void;
  /** A handoff file was taken up. */
  handoff: HandoffWatchDeps['processed'];
  /** The gateway has answered; with the code of its refusal. */
  answered: (errorKind: string | undefined) => void;
  text: () => Promise<string>;
}

/** What the node shows whenever it is read, so that no gauge is ever old. */
export interface NodeFacts {
  pools?: () => readonly PoolStatus[];
  workers?: () => readonly WorkerReport[];
  memory?: () => { total_bytes: number; available_bytes: number };
}

/** Declares them. */
export function nodeMetrics(
  { pools: readPools = () => [], workers: readWorkers = () => [], memory }: NodeFacts = {},
  options: MetricsOptions = {},
): NodeMetrics {
  const registry = new Registry();
  const metrics = declareMetrics(registry, options);
  const restarts = new Map<string, number[]>();
  const forecasts = new Map<string, Forecasts>();
  const forecastsOf = (poolId: string) => {
    const known = forecasts.get(poolId) ?? new Forecasts();
    forecasts.set(poolId, known);
    return known;
  };
  const runs: RunMetrics = {
    started: (labels) => metrics.tasksStarted.inc({ ...labels }),
    firstToken: (labels, afterMs) => {
      metrics.latencyFirstToken.observe(ofClass(labels), afterMs);
    },
    completed: (labels, { tokensIn, tokensOut, decodeMs }) => {
      metrics.latencyDecode.observe(ofClass(labels), decodeMs);
      metrics.tokensIn.inc(ofReplica(labels), tokensIn);
      metrics.tokensOut.inc(ofReplica(labels), tokensOut);
    },
    evicted: (engine, policy) => {
      metrics.tasksRejected.inc({ engine, reason: 'QUEUE_FULL_DROP_LRU' });
      metrics.backpressure.inc({ engine, policy });
    },
    canceled: (labels, reason) => {
      metrics.tasksCanceled.inc({ ...ofReplica(labels), reason });
    },
    judged: (pool_id, forecast, inTime) => {
      const outcome = inTime ? 'met' : 'missed';
      metrics.deadlineForecasts.inc({ pool_id, predicted: tenthOf(forecast), outcome });
      metrics.deadlineBrierScore.set({ pool_id }, forecastsOf(pool_id).judge(forecast, inTime));
    },
    queueDepth: (labels, depth) => {
      metrics.queueDepth.set({ ...labels }, depth);
    },
  };
  const pools: PoolMetrics = {
    drainStarted: (pool_id, reason) => metrics.drainEvents.inc({ pool_id, reason }),
    preloadEnded: (pool_id, engine, reason) => {
      if (reason === null) metrics.preloadSuccesses.inc({ pool_id, engine });
      else metrics.preloadFailures.inc({ pool_id, engine, reason });
    },
    reloadEnded: (pool_id, reason, durationMs) => {
      metrics.reloadDuration.observe(
        { pool_id, outcome: reason === null ? 'success' : 'failure' },
        durationMs,
      );
      if (reason === null) metrics.reloadSuccesses.inc({ pool_id });
      else metrics.reloadFailures.inc({ pool_id, reason });
    },
    drainEnded: (pool_id, outcome, durationMs) => {
      metrics.poolDrains.inc({ pool_id, outcome });
      if (outcome === 'forced') metrics.poolDrainForceStops.inc({ pool_id });
      if (outcome === 'forced' || outcome === 'drained')
        metrics.drainDuration.observe({ pool_id }, durationMs);
    },
    healthChecked: (pool_id, isHealthy) =>
      metrics.healthChecks.inc({ pool_id, outcome: isHealthy ? 'success' : 'failure' }),
    ...restartMetrics(metrics, restarts),
  };
  const devices = (gpus: readonly GpuDevice[]): void => {
    metrics.deviceVramTotal.reset();
    metrics.deviceVramFree.reset();
    for (const { index: device_id, vram_total_bytes, vram_free_bytes } of gpus) {
      if (vram_total_bytes !== null) metrics.deviceVramTotal.set({ device_id }, vram_total_bytes);
      if (vram_free_bytes !== null) metrics.deviceVramFree.set({ device_id }, vram_free_bytes);
    }
  };
  const handoff: NodeMetrics['handoff'] = (pool_id, outcome, durationMs) => {
    metrics.handoffsProcessed.inc({ pool_id, outcome });
    metrics.handoffDuration.observe({ pool_id }, durationMs);
  };
  const showPools = poolGauges(metrics);
  const text = (): Promise<string> => {
    showPools(readPools());
    showWorkers(metrics, readWorkers());
    if (memory !== undefined) showMemory(metrics, memory());
    for (const [pool_id, timesMs] of restarts)
      metrics.restartRate.set({ pool_id }, countWithin(timesMs, RATE_WINDOW_MS, Date.now()));
    return registry.metrics();
  };
  const answered = (errorKind: string | undefined): void => {
    metrics.nodeRequests.inc();
    if (errorKind !== undefined) metrics.nodeErrors.inc({ error_kind: errorKind });
  };
  return { runs, pools, models: modelMetrics(metrics), devices, handoff, answered, text };
}

function showMemory(
  { nodeMemoryTotal, nodeMemoryAvailable }: Metrics,
  { total_bytes, available_bytes }: { total_bytes: number; available_bytes: number },
): void {
  nodeMemoryTotal.set(total_bytes);
  nodeMemoryAvailable.set(available_bytes);
}

/** Counts the node's engines by state (B-OBS-030). */
function showWorkers({ poolWorkers }: Metrics, workers: readonly WorkerReport[]): void {
  poolWorkers.reset();
  for (const { state, backend, device } of workers)
    poolWorkers.inc({ state, backend: backend ?? '', device: device ?? '' });
}

/** How far the files are that are being fetched (B-OBS-032). */
function modelMetrics(metrics: Metrics): ModelMetrics {
  const { modelDownloads, modelDownloadProgress, modelDownloadTotal, modelDownloadDone } = metrics;
  return {
    progress: (model_id, bytes, totalBytes) => {
      modelDownloadDone.set({ model_id }, bytes);
      if (totalBytes === null || totalBytes === 0) return;
      modelDownloadTotal.set({ model_id }, totalBytes);
      modelDownloadProgress.set({ model_id }, (bytes * 100) / totalBytes);
    },
    ended: (model_id, outcome) => {
      for (const gauge of [modelDownloadProgress, modelDownloadTotal, modelDownloadDone])
        gauge.remove({ model_id });
      modelDownloads.inc({ outcome });
    },
  };
}

/** Shows pools and the models that they serve; a model that another has taken the place of is retired (B-CP-032, C-131). */
function poolGauges(metrics: Metrics): (pools: readonly PoolStatus[]) => void {
  const modelOf = new Map<string, string>();
  const showModel = (model_id: string, isActive: boolean): void => {
    metrics.modelState.set({ model_id, state: 'Active' }, Number(isActive));
    metrics.modelState.set({ model_id, state: 'Retired' }, Number(!isActive));
  };
  return (pools) => {
    const { poolReady, poolSlotsTotal, poolSlotsFree, poolActiveLeases } = metrics;
    for (const gauge of [poolReady, poolSlotsTotal, poolSlotsFree, poolActiveLeases]) gauge.reset();
    for (const { pool_id, ready, slots_total, slots_free, active_leases, model_ref } of pools) {
      poolReady.set({ pool_id }, Number(ready));
      poolActiveLeases.set({ pool_id }, active_leases);
      if (slots_total !== null) poolSlotsTotal.set({ pool_id }, slots_total);
      if (slots_free !== null) poolSlotsFree.set({ pool_id }, slots_free);
      const before = modelOf.get(pool_id);
      if (!ready || model_ref === null) continue;
      modelOf.set(pool_id, model_ref);
      if (before !== undefined && before !== model_ref) showModel(before, false);
    }
    for (const model of modelOf.values()) showModel(model, true);
  };
}

/** What supervision moves; `restarts` keeps the times that the rate is counted from at each scrape. */
function restartMetrics(metrics: Metrics, restarts: Map<string, number[]>) {
  return {
    crashed: (pool_id, reason, { device, modelRef: model_id }) => {
      metrics.crashes.inc({ pool_id, reason });
      if (reason !== 'graceful_exit') metrics.workerCrashes.inc({ model_id });
      if (reason === 'driver_reset') metrics.driverResets.inc({ pool_id, device: device ?? 'all' });
    },
    restartPlanned: (pool_id, crash_reason, delayMs) => {
      metrics.backoffDelay.observe({ pool_id }, delayMs);
      metrics.restartsScheduled.inc({ pool_id, crash_reason });
    },
    restarted: (pool_id, reason) => {
      metrics.restarts.inc({ pool_id, reason });
      restarts.set(pool_id, withOneMore(restarts.get(pool_id) ?? [], RATE_WINDOW_MS, Date.now()));
    },
    circuitMoved: (pool_id, { circuit, new_state }) => {
      metrics.circuitState.set({ pool_id, circuit }, CIRCUIT_GAUGE[new_state]);
      if (new_state === 'open') metrics.circuitOpenings.inc({ pool_id });
    },
    storm: (pool_id, { kind }) => {
      if (kind === 'restart_storm') metrics.restartStorms.inc({ pool_id });
    },
  } satisfies Partial<PoolMetrics>;
}

function ofClass({ engine, engine_version, pool_id, priority }: RunLabels) {
  return { engine, engine_version, pool_id, priority };
}

function ofReplica({ engine, engine_version, pool_id, replica_id }: RunLabels) {
  return { engine, engine_version, pool_id, replica_id };
}
