/** How an engine of this node answers for its health at this moment, asked for an operator. */
import { DroverError } from '../../contracts/errors.js';
import type { WorkerHealth } from '../../contracts/worker-report.js';
import { HEALTH_LIMIT_MS } from './engine-health.js';
import type { PoolRegistry } from './pool-registry.js';

/** Asks the engine once. @throws DroverError WORKER_NOT_FOUND for one that does not serve */
export async function workerHealth(
  pools: Pick<PoolRegistry, 'get'>,
  { pool_id, replica_id }: { pool_id: string; replica_id: string },
): Promise<WorkerHealth> {
  const replica = pools.get(pool_id)?.replicas.get(replica_id);
  if (replica === undefined) throw new DroverError('WORKER_NOT_FOUND', 'no such engine serves here');
  const signal = AbortSignal.timeout(HEALTH_LIMIT_MS);
  try {
    return { status: await replica.adapter.health(signal), cause: null };
  } catch {
    return { status: null, cause: signal.aborted ? 'timeout' : 'connection' };
  }
}
