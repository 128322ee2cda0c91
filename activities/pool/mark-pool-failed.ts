/** Activity `markPoolFailed`: the node takes the pool's work away and shows why (B-PRELOAD-032, B-PRELOAD-034). */
import type { NodeActivityDeps } from '../deps.js';
import { narration, poolFields } from './pool-fields.js';

/** Which pool, and its `last_error`. */
export interface MarkPoolFailedInput {
  pool_id: string;
  last_error: string;
  /** The preload that has failed, and the type of its failure; absent where the pool failed otherwise. */
  preload?: { engine: string; reason: string };
}

/** Builds the activity `markPoolFailed`. */
export function markPoolFailedActivity({
  pools,
  metrics,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'metrics' | 'log'>) {
  return function markPoolFailed({ pool_id, last_error, preload }: MarkPoolFailedInput): Promise<void> {
    pools.failed(pool_id, last_error);
    if (preload !== undefined) metrics.preloadEnded(pool_id, preload.engine, preload.reason);
    const error_kind = preload?.reason ?? 'POOL_UNAVAILABLE';
    const story = narration('failed', pool_id, `Gives the pool up for now: ${error_kind}`);
    const line = { event: 'pool_failed', ...story, error_kind, ...poolFields(pools, pool_id), last_error };
    log.error(line, 'pool failed');
    return Promise.resolve();
  };
}
