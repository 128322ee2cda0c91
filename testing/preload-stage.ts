/** The stage for tests of `preloadPool`. */
import assert from 'node:assert/strict';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import type { PreloadPoolInput } from '../contracts/pool.js';
import { CONTROL_QUEUE } from '../domain/identity.js';
import type { preloadPool } from '../workflows/preload-pool.js';
import { preloadInput, type PreloadActivity, type preloadTwin } from './preload-twin.js';
import { openTwinStage, TWIN_NODE, type PlayedActivities } from './twin-stage.js';

/** A preload that was started. */
export type PreloadRun = WorkflowHandleWithFirstExecutionRunId<typeof preloadPool>;

type Twin = Omit<ReturnType<typeof preloadTwin>, 'activities'> & { activities: PlayedActivities };

/** A stage that is open. */
export interface PreloadStage {
  /** Starts a preload whose node is played by the twin. */
  preload(twin: Twin, changes?: Partial<PreloadPoolInput>): Promise<PreloadRun>;
  close(): Promise<void>;
}

/** What a preload that succeeds does, in this order. */
export const ALL_STEPS: readonly PreloadActivity[] = [
  ...(['preflight', 'markPoolStarting', 'spawnEngine', 'awaitEngineReady'] as const),
  ...(['probeEngine', 'writeHandoff', 'markPoolReady'] as const),
];

const ALL_ACTIVITIES: readonly PreloadActivity[] = [
  ...ALL_STEPS,
  ...(['markPoolProvisioning', 'planEngine', 'takeEngineStep', 'recordEngine'] as const),
  'removeHandoff',
  'stopEngine',
  'markPoolFailed',
];

/** Opens a stage; one a test file, since it takes seconds. */
export async function openPreloadStage(): Promise<PreloadStage> {
  const { workflow, twins, close } = await openTwinStage(ALL_ACTIVITIES);
  return {
    preload(twin, changes = {}) {
      const workflowId = `pool:gpu-${twins.size}:preload`;
      twins.set(workflowId, twin.activities);
      return workflow.start<typeof preloadPool>('preloadPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [preloadInput(TWIN_NODE, changes)],
      });
    },
    close,
  };
}

/** Between start and end of a run by the server's clock; the clock itself jumps on once nothing runs. */
export async function tookMs(run: PreloadRun): Promise<number> {
  const { startTime, closeTime } = await run.describe();
  assert.ok(closeTime);
  return closeTime.getTime() - startTime.getTime();
}

/** Names of the activities in a run's history. */
export async function scheduled(run: PreloadRun): Promise<string[]> {
  const { events } = await run.fetchHistory();
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: it }) => it?.activityType?.name ?? [],
  );
}
