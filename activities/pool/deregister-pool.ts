/** Activity `deregisterPool`: the node forgets a pool that is out of service (OC-POOL-3106). */
import { mayBeForgotten } from '../../domain/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import { narration, poolFields } from './pool-fields.js';

/** Whether there was anything to forget. */
export interface DeregisteredPool {
  existed: boolean;
}

/** Builds the activity `deregisterPool`. */
export function deregisterPoolActivity({
  pools,
  runs,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'runs' | 'log'>) {
  /**
   * Ends what waits for the pool, then forgets it. Done twice it is done once.
   * @throws ApplicationFailure `POOL_CONFLICT` when the pool serves, or is about to
   */
  return async function deregisterPool({ pool_id }: { pool_id: string }): Promise<DeregisteredPool> {
    const requireOff = () => {
      const state = pools.status(pool_id)?.state ?? 'offline';
      if (mayBeForgotten(state)) return;
      throw poolFailure('POOL_CONFLICT', `the pool is ${state}; it is not forgotten`, { pool_id });
    };
    requireOff();
    const fields = { ...narration('purge', pool_id, 'Forgets the pool'), ...poolFields(pools, pool_id) };
    const waiting = pools.waiting(pool_id);
    await Promise.all(waiting.map((taskId) => runs.reset(taskId, 'the pool was purged')));
    requireOff();
    const existed = pools.deregister(pool_id);
    if (existed) log.info({ event: 'pool_deregistered', ...fields }, 'pool forgotten');
    return { existed };
  };
}
