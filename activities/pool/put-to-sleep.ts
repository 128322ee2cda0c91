/** Activity `putToSleep`: the engine of a pool that has nothing to do goes; a task has it started again. */
import type { NodeActivityDeps } from '../deps.js';
import type { EngineRoom } from '../engine/engine-room.js';
import { stopEngineActivity } from '../engine/stop-engine.js';
import { narration, poolFields } from './pool-fields.js';

/** Which pool, and why. */
export interface PutToSleepInput {
  pool_id: string;
  /** `idle`: it must have been for as long as its launch says; otherwise the pool that needs its room. */
  reason: 'idle' | { evicted_for: string };
}

/** Builds the activity `putToSleep`. */
export function putToSleepActivity(deps: NodeActivityDeps, room: EngineRoom) {
  const stopEngine = stopEngineActivity(deps, room);
  /**
   * Takes the engine away from the tasks and stops it. Told again by a worker that has adopted the engine meanwhile, it looks
   * again.
   * @returns false, and changes nothing, where the pool is busy or not idle for long enough
   * @throws ApplicationFailure `StopFailed`
   */
  return async function putToSleep({ pool_id, reason }: PutToSleepInput): Promise<{ asleep: boolean }> {
    const { pools, log } = deps;
    const replicas = pools.replicas(pool_id);
    // In one step: what comes from here on waits for another engine.
    if (!pools.fallAsleep(pool_id, reason === 'idle')) return { asleep: false };
    for (const replica_id of replicas)
      await stopEngine({ pool_id, replica_id, reason: 'sleep', if_missing: 'stopped' });
    const why = reason === 'idle' ? 'idle' : `pool ${reason.evicted_for} needs its room`;
    const human = `Stops the engine: ${why}`;
    const fields = {
      event: 'pool_asleep',
      ...narration('sleep', pool_id, human),
      ...poolFields(pools, pool_id),
    };
    log.info({ ...fields, reason: why }, 'pool sleeps until it is asked for');
    return { asleep: true };
  };
}
