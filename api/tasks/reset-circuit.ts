/** An operator has mended what kept a pool from coming up: its circuits are closed, and it is started again (B-CP-073). */
import { DroverError } from '../../contracts/errors.js';
import type { SupervisionView } from '../../contracts/supervision.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { ReadPools } from './pool-health.js';

/** Resets a pool's circuits. @throws DroverError POOL_NOT_FOUND; POOL_CONFLICT for a pool that nobody supervises */
export type ResetCircuit = (poolId: string, context: RequestContext) => Promise<SupervisionView>;

/** Builds the reset. */
export function createResetCircuit(records: TaskRecords, readPools: ReadPools): ResetCircuit {
  return async function resetCircuit(pool_id, context) {
    const by = context.identity ?? 'unknown';
    const view = await records.resetCircuit(pool_id, by);
    if (view === undefined) {
      await readPools.health(pool_id, context);
      const message = 'nobody supervises the pool: preload it first';
      throw new DroverError('POOL_CONFLICT', message, { pool_id });
    }
    const line = { event: 'circuit_reset', pool_id, by, at: new Date().toISOString() };
    context.log.info({ ...line, restart_count: view.restart_count }, 'circuit reset');
    return view;
  };
}
