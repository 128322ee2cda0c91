/** Activity `markPoolFailed`: the node takes the pool's work away and shows why (B-PRELOAD-032, B-PRELOAD-034). */
import type { NodeActivityDeps } from '../deps.js';

/** Which pool, and its `last_error`. */
export interface MarkPoolFailedInput {
  pool_id: string;
  last_error: string;
}

/** Builds the activity `markPoolFailed`. */
export function markPoolFailedActivity({ pools, log }: Pick<NodeActivityDeps, 'pools' | 'log'>) {
  return function markPoolFailed({ pool_id, last_error }: MarkPoolFailedInput): Promise<void> {
    pools.failed(pool_id, last_error);
    log.error({ event: 'pool_failed', pool_id, last_error }, 'pool failed');
    return Promise.resolve();
  };
}
