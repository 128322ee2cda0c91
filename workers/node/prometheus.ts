/** The node's metrics on Prometheus' registry: what runs say, in the contract's names (observability 2.1). */
import { Registry } from 'prom-client';
import type { PoolMetrics } from '../../activities/deps.js';
import type { GpuDevice } from '../../domain/gpu.js';
import { declareMetrics } from '../../telemetry/metrics.js';
import type { RunLabels, RunMetrics } from './run-metrics.js';
import type { HandoffWatchDeps } from './watch-handoffs.js';

/** The node's metrics: what runs move, what the watch of the devices shows, and the text that a scrape reads. */
export interface NodeMetrics {
  runs: RunMetrics;
  /** Operations on pools. */
  pools: PoolMetrics;
  /** Shows these devices and no others. */
  devices: (devices: readonly GpuDevice[]) => void;
  /** A handoff file was taken up. */
  handoff: HandoffWatchDeps['processed'];
  text: () => Promise<string>;
}

/** Declares them. */
export function nodeMetrics(): NodeMetrics {
  const registry = new Registry();
  const metrics = declareMetrics(registry);
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
    evicted: (engine) => {
      metrics.tasksRejected.inc({ engine, reason: 'QUEUE_FULL_DROP_LRU' });
      metrics.backpressure.inc({ engine, policy: 'drop-lru' });
    },
    canceled: (labels, reason) => {
      metrics.tasksCanceled.inc({ ...ofReplica(labels), reason });
    },
    queueDepth: (labels, depth) => {
      metrics.queueDepth.set({ ...labels }, depth);
    },
  };
  const pools: PoolMetrics = {
    drainStarted: (pool_id, reason) => metrics.drainEvents.inc({ pool_id, reason }),
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
  return { runs, pools, devices, handoff, text: () => registry.metrics() };
}

function ofClass({ engine, engine_version, pool_id, priority }: RunLabels) {
  return { engine, engine_version, pool_id, priority };
}

function ofReplica({ engine, engine_version, pool_id, replica_id }: RunLabels) {
  return { engine, engine_version, pool_id, replica_id };
}
