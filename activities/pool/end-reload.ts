/** Activity `endReload`: the pool is shown as the reload has left it, and how it went is told (B-RELOAD-012, B-RELOAD-013). */
import type { ReloadOutcome } from '../../contracts/pool.js';
import { raiseAlert } from '../../telemetry/alert.js';
import type { NodeActivityDeps } from '../deps.js';
import { narration, poolFields } from './pool-fields.js';

/** How it went. */
export interface EndReloadInput extends ReloadOutcome {
  /** Type of the failure; null for a success. */
  reason: string | null;
  /** Shown where no engine serves any more (B-RELOAD-017). */
  last_error: string | null;
}

/** Builds the activity `endReload`. */
export function endReloadActivity({
  pools,
  metrics,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'metrics' | 'log'>) {
  /** Gives the pool its work back where an engine is bound. */
  return function endReload(input: EndReloadInput): Promise<void> {
    const { pool_id, reason, last_error, duration_ms, rolled_back } = input;
    const serves = pools.status(pool_id)?.state !== 'reloading' || pools.serving(pool_id);
    if (!serves) pools.failed(pool_id, last_error ?? 'the reload left no engine');
    metrics.reloadEnded(pool_id, reason, duration_ms);
    const human = reason === null ? 'Serves the new model' : 'Gives the reload up';
    const fields = {
      event: 'pool_reloaded',
      ...narration('reload', pool_id, `${human} after ${duration_ms} ms`),
      ...poolFields(pools, pool_id),
      ...{ duration_ms, rolled_back, reason },
    };
    if (reason === null) log.info(fields, 'pool reloaded');
    else log[serves ? 'warn' : 'error']({ ...fields, last_error }, 'reload failed');
    if (reason === 'RollbackFailed') raiseAlert(log, 'rollback_failed', { pool_id, duration_ms, last_error });
    return Promise.resolve();
  };
}
