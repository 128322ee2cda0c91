/** Preloads to record: what their node does, and what else happens to them. */
import { CONTROL_QUEUE, nodeModelsQueue, nodeQueue, poolWorkflowId } from '../../domain/identity.js';
import type { preloadPool } from '../../workflows/preload-pool.js';
import { eventually } from '../changes.js';
import { failing, preloadInput, preloadTwin, stillLoading, unbuilt } from '../preload-twin.js';
import { historyOf, NODE, type Scenario } from './stage.js';

interface Preload {
  healthTimeoutMs?: number;
  /** Cancelled once it polls. */
  cancelled?: boolean;
  /** Its engine is built first. */
  built?: boolean;
}

/** By the name of their history. */
export const preloadScenarios: Readonly<Record<string, Scenario>> = {
  'preload-ready': preload(() => slowly(2)),
  'preload-unhealthy': preload(() => slowly(Infinity), { healthTimeoutMs: 1_500 }),
  'preload-engine-exited': preload(() =>
    preloadTwin({ awaitEngineReady: failing('EngineExited', 'the engine ended with exit code 1') }),
  ),
  'preload-handoff-unwritable': preload(() =>
    preloadTwin({ writeHandoff: failing('HandoffWriteFailed', 'ENOSPC: no space left on device') }),
  ),
  'preload-without-gpu': preload(() =>
    preloadTwin({ preflight: failing('GpuRequired', 'GPU-only enforcement: nvcc/nvidia-smi not found') }),
  ),
  'preload-built': preload(() => preloadTwin(), { built: true }),
  'preload-not-built': preload(
    () =>
      preloadTwin({
        takeEngineStep: failing('ProvisionFailed', 'git-clone ended with exit code 128:\nfatal'),
      }),
    { built: true },
  ),
  'preload-cancelled': preload(() => slowly(Infinity), { cancelled: true }),
};

function slowly(polls: number) {
  let polled = 0;
  return preloadTwin({
    awaitEngineReady: () => (++polled > polls ? Promise.resolve() : Promise.reject(stillLoading(polled))),
  });
}

function preload(
  makeTwin: () => ReturnType<typeof preloadTwin>,
  { healthTimeoutMs = 120_000, cancelled = false, built = false }: Preload = {},
): Scenario {
  return async (stage) => {
    const twin = makeTwin();
    const control = await stage.workflowsAnd(CONTROL_QUEUE);
    const node = await stage.activities(nodeQueue(NODE), twin.activities);
    const makers = await stage.activities(nodeModelsQueue(NODE), twin.activities);
    const input = preloadInput(NODE, { health_timeout_ms: healthTimeoutMs });
    const launch = built ? unbuilt(input.prepared) : input.prepared;
    const playing = makers.runUntil(
      node.runUntil(async () => {
        const handle = await stage.workflows.start<typeof preloadPool>('preloadPool', {
          taskQueue: CONTROL_QUEUE,
          workflowId: poolWorkflowId('gpu-0', 'preload'),
          args: [{ ...input, prepared: launch }],
        });
        if (cancelled) {
          await eventually(
            () => 'the first poll',
            () => (twin.calls.includes('awaitEngineReady') ? true : undefined),
          );
          await handle.cancel();
        }
        return historyOf(handle);
      }),
    );
    return control.runUntil(playing);
  };
}
