/** Activity `markPoolAsleep`: keeps a launch whose engine a task will ask for; nothing is started. */
import { preparedEngine, type PreparedEngine } from '../../contracts/pool.js';
import { isLive, mayBecomeReady } from '../../domain/pool.js';
import { maySleep } from '../../domain/sleep.js';
import type { NodeActivityDeps } from '../deps.js';
import { engineFields } from './pool-fields.js';
import { poolFailure } from '../failures.js';
import { inRegistry } from '../in-registry.js';
import { removeDrainMark } from './drain-mark.js';

/** Builds the activity `markPoolAsleep`. */
export function markPoolAsleepActivity(deps: Pick<NodeActivityDeps, 'pools' | 'paths' | 'log'>) {
  /**
   * @throws ApplicationFailure `INVALID_PARAMS` for a launch that nothing would wake; `POOL_CONFLICT` when the pool has an
   *   engine or is about to
   */
  return async function markPoolAsleep(input: PreparedEngine): Promise<void> {
    const { pool_id } = input;
    const launch = preparedEngine.safeParse(input);
    if (!launch.success || !maySleep(launch.data))
      throw poolFailure('INVALID_PARAMS', 'the launch does not say that the pool may sleep', { pool_id });
    const state = deps.pools.status(pool_id)?.state ?? 'uninitialized';
    if (isLive(state) || (mayBecomeReady(state) && state !== 'backoff'))
      throw poolFailure('POOL_CONFLICT', `the pool is ${state}; it goes to sleep by itself`, { pool_id });
    await inRegistry(deps, pool_id, () => removeDrainMark(deps.paths, pool_id));
    deps.pools.asleep(launch.data, null);
    deps.log.info(
      { event: 'pool_asleep', ...engineFields(launch.data) },
      'pool sleeps until it is asked for',
    );
  };
}
