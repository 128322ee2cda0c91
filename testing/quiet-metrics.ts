/** Metrics of pools that nobody reads. */
import type { PoolMetrics } from '../activities/deps.js';

/** Takes everything, keeps nothing. */
export const quietMetrics: PoolMetrics = {
  drainStarted: () => undefined,
  drainEnded: () => undefined,
  preloadEnded: () => undefined,
  reloadEnded: () => undefined,
  crashed: () => undefined,
  restartPlanned: () => undefined,
  restarted: () => undefined,
  circuitMoved: () => undefined,
  storm: () => undefined,
};
