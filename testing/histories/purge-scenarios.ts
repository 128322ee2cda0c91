/** Purges to record: what their node and the catalogue do, and what else happens to them. */
import { CONTROL_QUEUE, nodeQueue, poolWorkflowId, TASKS_QUEUE } from '../../domain/identity.js';
import type { purgePool } from '../../workflows/purge-pool.js';
import { drainTwin } from '../drain-twin.js';
import { failing } from '../preload-twin.js';
import { purgeTwin } from '../purge-twin.js';
import { cancelAtLeases, historyOf, NODE, type Scenario } from './stage.js';

/** By the name of their history. */
export const purgeScenarios: Readonly<Record<string, Scenario>> = {
  'purge-whole': purge(() => purgeTwin()),
  'purge-called-off': purge(() => purgeTwin({}, drainTwin(2)), true),
  'purge-unstoppable': purge(() =>
    purgeTwin({}, drainTwin(0, { stopEngine: failing('StopFailed', 'the group 4711 outlives SIGKILL') })),
  ),
};

function purge(makeTwin: () => ReturnType<typeof purgeTwin>, cancelled = false): Scenario {
  return async (stage) => {
    const twin = makeTwin();
    const workers = await Promise.all([
      stage.workflowsAnd(CONTROL_QUEUE),
      stage.activities(nodeQueue(NODE), twin.activities),
      stage.activities(TASKS_QUEUE, twin.activities),
    ]);
    const play = async () => {
      const handle = await stage.workflows.start<typeof purgePool>('purgePool', {
        taskQueue: CONTROL_QUEUE,
        workflowId: poolWorkflowId('gpu-0', 'purge'),
        args: [
          {
            ...{ node_id: NODE, pool_id: 'gpu-0', correlation_id: 'corr-1', purge_models: ['tea', 'milk'] },
            ...{ purge_engine: true, drain_first: true, drain_deadline_ms: 60_000 },
            ...{ delete_cache_dirs: true, force: false },
          },
        ],
      });
      if (cancelled) await cancelAtLeases(handle, twin);
      return historyOf(handle);
    };
    return workers.reduce((inner, worker) => () => worker.runUntil(inner), play)();
  };
}
