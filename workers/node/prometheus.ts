/** The node's metrics on Prometheus' registry: what runs say, in the contract's names (observability 2.1). */
import { Registry } from 'prom-client';
import { declareMetrics } from '../../telemetry/metrics.js';
import type { RunLabels, RunMetrics } from './run-metrics.js';

/** The metrics that runs move, and the text that a scrape reads. */
export function nodeMetrics(): { runs: RunMetrics; text: () => Promise<string> } {
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
  return { runs, text: () => registry.metrics() };
}

function ofClass({ engine, engine_version, pool_id, priority }: RunLabels) {
  return { engine, engine_version, pool_id, priority };
}

function ofReplica({ engine, engine_version, pool_id, replica_id }: RunLabels) {
  return { engine, engine_version, pool_id, replica_id };
}
