/** Activity `beginRestart`: the supervisor takes the pool to start it again, unless somebody else has it by now (B-SUPER-030). */
import type { CrashKind } from '../../domain/crash.js';
import type { NodeActivityDeps } from '../deps.js';
import type { TakenPool } from './plan-restart.js';
import { narration, poolFields } from './pool-fields.js';

/** The restart that begins, itself counted. */
export interface BeginRestartInput {
  pool_id: string;
  kind: CrashKind;
  restart_count: number;
  restarts_in_window: number;
  window_ms: number;
  /** Above so many in the window the log warns (B-SUPER-032). */
  warn_above: number;
}

/** Builds the activity `beginRestart`. */
export function beginRestartActivity({
  pools,
  metrics,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'metrics' | 'log'>) {
  return function beginRestart(input: BeginRestartInput): Promise<TakenPool> {
    const { pool_id, kind, restart_count, restarts_in_window, window_ms, warn_above } = input;
    const taken = pools.restarting(pool_id);
    if (!taken) return Promise.resolve({ taken });
    metrics.restarted(pool_id, kind);
    const fields = {
      event: 'engine_restarting',
      ...narration('restart', pool_id, `Starts the engine again, for the ${restart_count}. time`),
      ...poolFields(pools, pool_id),
      ...{ restart_count, crash_reason: kind },
    };
    log.info(fields, 'engine restarting');
    if (restarts_in_window > warn_above) {
      const many = { event: 'many_restarts', pool_id, restart_count: restarts_in_window };
      log.warn({ ...many, time_window: window_ms }, 'many restarts');
    }
    return Promise.resolve({ taken });
  };
}
