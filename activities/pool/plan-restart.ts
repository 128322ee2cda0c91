/** Activity `planRestart`: a crashed pool is shown as waiting for its restart, and why it waits so long is told (B-POOL-007). */
import type { CrashKind } from '../../domain/crash.js';
import type { NodeActivityDeps } from '../deps.js';
import { narration, poolFields } from './pool-fields.js';

/** The restart that is planned. */
export interface PlanRestartInput {
  pool_id: string;
  kind: CrashKind;
  last_error: string;
  crash_count: number;
  backoff_ms: number;
  next_restart_at_ms: number;
  /** The window of restarts was full, so it waits longer than its backoff (B-SUPER-033). */
  rate_limited: boolean;
  restart_count: number;
  window_ms: number;
}

/** Whether the supervisor still has the pool; false: an operator or another operation has taken it over. */
export interface TakenPool {
  taken: boolean;
}

/** Builds the activity `planRestart`. */
export function planRestartActivity({
  pools,
  metrics,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'metrics' | 'log'>) {
  return function planRestart(input: PlanRestartInput): Promise<TakenPool> {
    const { pool_id, kind, last_error, crash_count, backoff_ms, next_restart_at_ms } = input;
    const taken = pools.awaitingRestart(pool_id, next_restart_at_ms, last_error);
    if (!taken) return Promise.resolve({ taken });
    metrics.restartPlanned(pool_id, kind, backoff_ms);
    const human = `Starts the engine again in ${backoff_ms} ms, after ${crash_count} crashes in a row`;
    const fields = {
      event: 'restart_scheduled',
      ...narration('restart', pool_id, human),
      ...poolFields(pools, pool_id),
      ...{ backoff_ms, crash_count, crash_reason: kind, last_error },
      next_restart_at: new Date(next_restart_at_ms).toISOString(),
    };
    log.info(fields, 'restart scheduled');
    if (input.rate_limited) {
      const { restart_count, window_ms } = input;
      log.warn(
        { event: 'restart_rate_limited', pool_id, restart_count, time_window: window_ms, backoff_ms },
        'the restart waits until the window has room',
      );
    }
    return Promise.resolve({ taken });
  };
}
