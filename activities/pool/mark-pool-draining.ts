/** Activity `markPoolDraining`: the pool takes no new work; what runs goes on (B-DRAIN-001..003). */
import { drainRefusal } from '../../domain/drain.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import { inRegistry } from '../in-registry.js';
import { findLeftEngines } from '../process/adopt.js';
import { writeDrainMark } from './drain-mark.js';
import { narration, poolFields } from './pool-fields.js';

/** Which pool, for whom, and how long it waits for its leases. */
export interface MarkPoolDrainingInput {
  pool_id: string;
  /** Who asked for it, for log and metric: `operator`. */
  reason: string;
  deadline_ms: number;
}

/** What there is to wait for and to stop. */
export interface DrainingPool {
  active_leases: number;
  /** Replicas whose engines must be gone in the end: those that serve, and those that only a spawn record knows. */
  replica_ids: string[];
}

type Deps = Pick<NodeActivityDeps, 'pools' | 'paths' | 'metrics' | 'log' | 'now'>;

/** Builds the activity `markPoolDraining`. */
export function markPoolDrainingActivity(deps: Deps) {
  const { pools, paths } = deps;
  /**
   * Marks the pool, on disk first, so that a worker that starts later knows of it. Done twice it is done once.
   * @throws ApplicationFailure `POOL_CONFLICT` when the pool is being loaded; `RegistryUnavailable` when it cannot be marked
   */
  return async function markPoolDraining(input: MarkPoolDrainingInput): Promise<DrainingPool> {
    const { pool_id } = input;
    const state = pools.status(pool_id)?.state ?? 'offline';
    const refusal = drainRefusal(state);
    if (refusal !== null) throw poolFailure('POOL_CONFLICT', refusal, { pool_id });
    await inRegistry(deps, pool_id, () => writeDrainMark(paths, pool_id, deps.now()));
    const isNew = state !== 'draining';
    pools.draining(pool_id);
    const active_leases = pools.leases(pool_id).length;
    if (isNew) announce(deps, input, active_leases);
    const left = await findLeftEngines(paths.runtimeDir);
    const recorded = left.filter(({ record }) => record.pool_id === pool_id);
    const replicas = [...pools.replicas(pool_id), ...recorded.map(({ record }) => record.replica_id)];
    return { active_leases, replica_ids: [...new Set(replicas)].sort() };
  };
}

function announce({ pools, metrics, log }: Deps, input: MarkPoolDrainingInput, active_leases: number): void {
  const { pool_id, reason, deadline_ms } = input;
  metrics.drainStarted(pool_id, reason);
  const human = `Drains the pool: ${active_leases} running tasks have ${deadline_ms} ms to end`;
  const fields = {
    event: 'pool_draining',
    ...narration('drain', pool_id, human),
    ...poolFields(pools, pool_id),
    active_leases,
    deadline_ms,
    reason,
  };
  // Leases at the start are what a drain may have to break off (B-DRAIN-010).
  if (active_leases > 0) log.warn(fields, 'pool draining, tasks still run');
  else log.info(fields, 'pool draining');
}
