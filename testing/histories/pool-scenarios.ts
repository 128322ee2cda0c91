/** Drains and reloads to record: what their node does, and what else happens to them. */
import { CONTROL_QUEUE, nodeQueue, poolWorkflowId } from '../../domain/identity.js';
import type { ReloadPoolInput } from '../../contracts/pool.js';
import type { drainPool } from '../../workflows/drain-pool.js';
import { drainAskedSignal } from '../../workflows/messages.js';
import type { reloadPool } from '../../workflows/reload-pool.js';
import { drainTwin, stillLeased } from '../drain-twin.js';
import { failing } from '../preload-twin.js';
import { reloadTwin } from '../reload-twin.js';
import { cancelAtLeases, historyOf, NODE, type RecordingStage, type Scenario } from './stage.js';

/** By the name of their history. */
export const poolScenarios: Readonly<Record<string, Scenario>> = {
  'drain-graceful': drain(() => drainTwin(2, { awaitLeases: endingAfter(2) }), 60_000),
  'drain-forced': drain(() => drainTwin(2), 1_500),
  'drain-cancelled': drain(() => drainTwin(2), 60_000, true),
  'drain-unstoppable': drain(
    () => drainTwin(0, { stopEngine: failing('StopFailed', 'the group 4711 outlives SIGKILL') }),
    0,
  ),
  'reload-beside': reload(() => reloadTwin(1, { awaitLeases: endingAfter(2) }), { force: true }),
  'reload-beside-unhealthy': reload(() =>
    reloadTwin(1, { probeEngine: failing('HealthTimeout', 'no token') }),
  ),
  'reload-in-place': reload(() => reloadTwin(0), { strategy: 'in_place' }),
  'reload-drain-timeout': reload(() => reloadTwin(1), { strategy: 'in_place', drain_deadline_ms: 1_500 }),
  'reload-rolled-back': reload(
    () =>
      reloadTwin(0, {
        probeEngine: ({ prepared }) =>
          prepared.engine_version === 'b5678' ? failing('HealthTimeout', 'no token')() : Promise.resolve(),
      }),
    { strategy: 'in_place' },
  ),
};

/** A wait that is over at the try after so many. */
function endingAfter(tries: number): () => Promise<void> {
  let tried = 0;
  return () => (++tried > tries ? Promise.resolve() : Promise.reject(stillLeased()));
}

function drain(
  makeTwin: () => ReturnType<typeof drainTwin>,
  deadline_ms: number,
  cancelled = false,
): Scenario {
  return async (stage) => {
    const twin = makeTwin();
    return onStage(stage, twin.activities, async () => {
      const handle = await stage.workflows.signalWithStart<typeof drainPool, [{ deadline_ms: number }]>(
        'drainPool',
        {
          taskQueue: CONTROL_QUEUE,
          workflowId: poolWorkflowId('gpu-0', 'drain'),
          args: [{ node_id: NODE, pool_id: 'gpu-0', correlation_id: 'corr-1', deadline_ms }],
          signal: drainAskedSignal,
          signalArgs: [{ deadline_ms }],
        },
      );
      if (cancelled) await cancelAtLeases(handle, twin);
      return historyOf(handle);
    });
  };
}

function reload(
  makeTwin: () => ReturnType<typeof reloadTwin>,
  changes: Partial<ReloadPoolInput> = {},
): Scenario {
  return (stage) =>
    onStage(stage, makeTwin().activities, async () => {
      const input: ReloadPoolInput = {
        ...{ node_id: NODE, pool_id: 'gpu-0', correlation_id: 'corr-1', force: false, strategy: 'auto' },
        ...{ new_model_ref: 'file:/models/new.gguf', drain_deadline_ms: 60_000, health_timeout_ms: 5_000 },
        ...changes,
      };
      const handle = await stage.workflows.start<typeof reloadPool>('reloadPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId: poolWorkflowId('gpu-0', 'reload'),
        args: [input],
      });
      return historyOf(handle);
    });
}

async function onStage<T>(stage: RecordingStage, activities: object, work: () => Promise<T>): Promise<T> {
  const control = await stage.workflowsAnd(CONTROL_QUEUE);
  const node = await stage.activities(nodeQueue(NODE), activities);
  return control.runUntil(node.runUntil(work));
}
