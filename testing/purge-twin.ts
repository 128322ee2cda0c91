/** Typed in-memory activities of a node and of the catalogue, for tests of the purge's story: every call in words. */
import type { CatalogActivities } from '../activities/catalog-activities.js';
import type { NodeActivities } from '../activities/index.js';
import { drainTwin } from './drain-twin.js';

/** The activities that a purge has beside its drain's. */
export type PurgeSteps = Pick<CatalogActivities, 'removeModel'> &
  Pick<NodeActivities, 'deleteEngineDirs' | 'deregisterPool'>;

/** A pool without running tasks, whose drain is `drain`'s; every step succeeds but for those in `changes`. */
export function purgeTwin(changes: Partial<PurgeSteps> = {}, drain = drainTwin(0)) {
  const { calls } = drain;
  const orders: Parameters<CatalogActivities['removeModel']>[0][] = [];
  const steps: PurgeSteps = {
    removeModel: ({ model_id }) => Promise.resolve({ model_id, outcome: 'removed', pools: [] }),
    deleteEngineDirs: ({ pool_id }) => Promise.resolve({ deleted: [`${pool_id}-r0`] }),
    deregisterPool: () => Promise.resolve({ existed: true }),
    ...changes,
  };
  const activities: PurgeSteps & typeof drain.activities = {
    ...drain.activities,
    removeModel: (order) => {
      orders.push(order);
      calls.push(`removeModel ${order.model_id}`);
      return steps.removeModel(order);
    },
    deleteEngineDirs: (input) => {
      calls.push('deleteEngineDirs');
      return steps.deleteEngineDirs(input);
    },
    deregisterPool: (input) => {
      calls.push('deregisterPool');
      return steps.deregisterPool(input);
    },
  };
  return { activities, calls, orders, drain };
}
