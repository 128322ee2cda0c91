/** Activity `liftDrain`: a drain that does not come to its end gives the pool its work back (B-DRAIN-013). */
import type { NodeActivityDeps } from '../deps.js';
import { removeDrainMark } from './drain-mark.js';
import { narration, poolFields } from './pool-fields.js';

/** Which drain ends, and why. */
export interface LiftDrainInput {
  pool_id: string;
  outcome: 'cancelled' | 'failed';
  /** Shown where no engine is left to serve, or one that could not be stopped (B-DRAIN-014). */
  last_error: string;
  duration_ms: number;
}

/** Builds the activity `liftDrain`. */
export function liftDrainActivity({
  pools,
  paths,
  metrics,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'paths' | 'metrics' | 'log'>) {
  /** The pool is ready again where its engines are still bound, else it has failed. */
  return async function liftDrain(input: LiftDrainInput): Promise<void> {
    const { pool_id, outcome, last_error, duration_ms } = input;
    await removeDrainMark(paths, pool_id);
    if (pools.status(pool_id)?.state !== 'draining') return;
    const serves = pools.serving(pool_id);
    if (!serves) pools.failed(pool_id, last_error);
    metrics.drainEnded(pool_id, outcome, duration_ms);
    const human = serves ? 'Takes work again: the drain was called off' : 'Gives up draining the pool';
    const fields = {
      event: 'drain_lifted',
      ...narration('drain', pool_id, human),
      ...poolFields(pools, pool_id),
      outcome,
      duration_ms,
      reason: last_error,
    };
    if (serves) log.warn(fields, 'pool takes work again');
    else log.error({ ...fields, last_error }, 'drain failed');
  };
}
