/** Metrics of pools that nobody reads. */
import type { ModelMetrics, PoolMetrics } from '../activities/deps.js';

/** Takes everything, keeps nothing. */
export const quietMetrics: PoolMetrics = {
  drainStarted: () => undefined,
  drainEnded: () => undefined,
  preloadEnded: () => undefined,
  reloadEnded: () => undefined,
  crashed: () => undefined,
  healthChecked: () => undefined,
  restartPlanned: () => undefined,
  restarted: () => undefined,
  circuitMoved: () => undefined,
  storm: () => undefined,
};

/** Metrics of downloads that nobody reads. */
export const quietModelMetrics: ModelMetrics = { progress: () => undefined, ended: () => undefined };
