/** Activity `planReload`: what serves now, and what shall serve instead. It touches nothing. */
import { preparedEngine, type PreparedEngine } from '../../contracts/pool.js';
import { modelFileOf, withModel } from '../../domain/reload.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import type { StartingEngine } from '../engine/await-engine-ready.js';

/** Which pool, and its new model or launch; one of the two is given. */
export interface PlanReloadInput {
  pool_id: string;
  new_model_ref?: string | undefined;
  prepared?: PreparedEngine | undefined;
  /** Where the new model stands, if it had to be fetched. */
  staged_path?: string;
}

/** Before and after. */
export interface ReloadPlan {
  current: StartingEngine;
  next: PreparedEngine;
}

/** Builds the activity `planReload`. */
export function planReloadActivity({ pools }: Pick<NodeActivityDeps, 'pools'>) {
  /**
   * @throws ApplicationFailure `POOL_CONFLICT` when the pool is not ready, has several replicas, or an engine of others; `ModelUnavailable` for
   *   a model that is no file; `INVALID_PARAMS` for a launch of another pool or device mask (B-RELOAD-009)
   */
  return function planReload(input: PlanReloadInput): Promise<ReloadPlan> {
    return Promise.resolve().then(() => {
      const current = servingEngine(pools, input.pool_id);
      return { current, next: nextLaunch(current.prepared, input) };
    });
  };
}

function servingEngine(pools: NodeActivityDeps['pools'], pool_id: string): StartingEngine {
  const [replicaId, ...others] = pools.replicas(pool_id);
  const engine = replicaId === undefined ? undefined : pools.running(pool_id, replicaId);
  const state = pools.status(pool_id)?.state ?? 'unknown';
  if (engine === undefined || state !== 'ready') {
    throw poolFailure('POOL_CONFLICT', `the pool is ${state}; only a ready pool is reloaded`, { pool_id });
  }
  if (others.length > 0) {
    const message = `the pool has the replicas ${[replicaId, ...others].join(', ')}; only one can be reloaded`;
    throw poolFailure('POOL_CONFLICT', message, { pool_id });
  }
  const { pid, startTicks: start_ticks, url } = engine;
  // Of an engine that others started only what its handoff told is known: nobody here could start it again.
  const launch = preparedEngine.safeParse(engine.prepared);
  if (!launch.success || pid === null || start_ticks === null) {
    const message = 'the engine of the pool was started by others; only they can exchange its model';
    throw poolFailure('POOL_CONFLICT', message, { pool_id });
  }
  return { prepared: launch.data, engine: { pid, start_ticks, url } };
}

function nextLaunch(
  current: PreparedEngine,
  { pool_id, new_model_ref, prepared, staged_path }: PlanReloadInput,
) {
  if (prepared !== undefined) {
    // Another API was faster: it read the same entry of the configuration file.
    if (prepared.config_digest !== undefined && prepared.config_digest === current.config_digest)
      throw poolFailure('POOL_CONFLICT', 'the pool has the launch of its entry already', { pool_id });
    if (prepared.pool_id === pool_id && prepared.device_mask === current.device_mask) {
      return { ...prepared, replica_id: current.replica_id };
    }
    const message = 'prepared: pool_id and device_mask must be those of the pool that is reloaded';
    throw poolFailure('INVALID_PARAMS', message, { pool_id });
  }
  const ref = new_model_ref ?? current.model_ref;
  if (ref === current.model_ref) return current;
  const path = modelFileOf(ref) ?? staged_path;
  // It is not what the configuration file says any more.
  const { config_digest: _, ...launch } = current;
  if (path !== undefined) return withModel(launch, ref, path);
  throw poolFailure('ModelUnavailable', `the model ${ref} is not a file of this node (file:/…)`, { pool_id });
}
