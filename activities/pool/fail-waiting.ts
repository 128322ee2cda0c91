/** Activity `failWaiting`: a pool could not be woken; the tasks that wait for it are told so, and the next one may try again. */
import { DroverError } from '../../contracts/errors.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { heartbeating } from '../engine/heartbeating.js';
import { poolFields } from './pool-fields.js';

/** Which pool, and why. */
export interface FailWaitingInput {
  prepared: PreparedEngine;
  /** Type of the failure of its preload. */
  cause_code: string;
  /** Kept as `last_error`; tasks are not told, for it may name files and hosts. */
  last_error: string;
}

/** Builds the activity `failWaiting`. */
export function failWaitingActivity({ pools, runs, log }: Pick<NodeActivityDeps, 'pools' | 'runs' | 'log'>) {
  return function failWaiting({
    prepared,
    cause_code,
    last_error,
  }: FailWaitingInput): Promise<{ failed: number }> {
    const { pool_id } = prepared;
    return heartbeating(async () => {
      const state = pools.status(pool_id)?.state;
      // Somebody else has it by now, and its tasks are theirs.
      if (state !== 'failed' && state !== 'asleep') return { failed: 0 };
      const waiting = pools.waiting(pool_id);
      // First, so that a client which comes again at once finds a pool that it may wake.
      pools.asleep(prepared, last_error);
      const error = new DroverError('POOL_UNREADY', 'the pool of the task could not be loaded', {
        pool_id,
        details: { cause_code },
      });
      await Promise.all(waiting.map((taskId) => runs.breakOff(taskId, error)));
      const fields = { event: 'wake_failed', ...poolFields(pools, pool_id), cause_code, last_error };
      log.error({ ...fields, failed_tasks: waiting.length }, 'the pool could not be woken');
      return { failed: waiting.length };
    });
  };
}
