/** The stage for tests of `preloadPool`: a time-skipping server, a control worker, and a node played by twins. */
import assert from 'node:assert/strict';
import { Context } from '@temporalio/activity';
import { type WorkflowHandleWithFirstExecutionRunId, WorkflowFailedError } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { PreloadPoolInput } from '../contracts/pool.js';
import { CONTROL_QUEUE, nodeQueue } from '../domain/identity.js';
import type { preloadPool } from '../workflows/preload-pool.js';
import { preloadInput, type PreloadActivity, type preloadTwin } from './preload-twin.js';
import { testDataConverter, timeSkippingEnvironment } from './temporal-env.js';
import { bundleWorkflows } from './workflow-bundle.js';

/** A preload that was started. */
export type PreloadRun = WorkflowHandleWithFirstExecutionRunId<typeof preloadPool>;

type Twin = ReturnType<typeof preloadTwin>;

/** A stage that is open. */
export interface PreloadStage {
  /** Starts a preload whose node is played by the twin. */
  preload(twin: Twin, changes?: Partial<PreloadPoolInput>): Promise<PreloadRun>;
  close(): Promise<void>;
}

/** The node that twins play. */
export const TWIN_NODE = 'node-1';

/** What a preload that succeeds does, in this order. */
export const ALL_STEPS: readonly PreloadActivity[] = [
  ...(['preflight', 'markPoolStarting', 'spawnEngine', 'awaitEngineReady'] as const),
  ...(['probeEngine', 'writeHandoff', 'markPoolReady'] as const),
];

const ALL_ACTIVITIES: readonly PreloadActivity[] = [
  ...ALL_STEPS,
  'removeHandoff',
  'stopEngine',
  'markPoolFailed',
];

/** Opens a stage; one a test file, since it takes seconds. */
export async function openPreloadStage(): Promise<PreloadStage> {
  const env = await timeSkippingEnvironment();
  /** The twin of each run, by workflow id: what one test leaves cannot answer another. */
  const twins = new Map<string, Twin>();
  const play = (name: PreloadActivity) => (input: unknown) => {
    const twin = twins.get(Context.current().info.workflowExecution?.workflowId ?? '');
    const activity = twin?.activities[name] as ((given: unknown) => Promise<unknown>) | undefined;
    return activity?.(input) ?? Promise.reject(new Error('no twin'));
  };
  const shared = { connection: env.nativeConnection, dataConverter: testDataConverter };
  const workers = await Promise.all([
    Worker.create({ ...shared, taskQueue: CONTROL_QUEUE, workflowBundle: await bundleWorkflows() }),
    Worker.create({
      ...shared,
      taskQueue: nodeQueue(TWIN_NODE),
      activities: Object.fromEntries(ALL_ACTIVITIES.map((name) => [name, play(name)])),
      maxHeartbeatThrottleInterval: 100,
    }),
  ]);
  const running = workers.map((worker) => worker.run());
  return {
    preload(twin, changes = {}) {
      const workflowId = `pool:gpu-${twins.size}:preload`;
      twins.set(workflowId, twin);
      return env.client.workflow.start<typeof preloadPool>('preloadPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [preloadInput(TWIN_NODE, changes)],
      });
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await env.teardown();
    },
  };
}

/** Between start and end of a run by the server's clock; the clock itself jumps on once nothing runs. */
export async function tookMs(run: PreloadRun): Promise<number> {
  const { startTime, closeTime } = await run.describe();
  assert.ok(closeTime);
  return closeTime.getTime() - startTime.getTime();
}

/** Why a preload ended; it must have failed. */
export async function failureOf(run: PreloadRun): Promise<Error> {
  const err = await run.result().then(
    () => assert.fail('the preload succeeded'),
    (cause: unknown) => cause,
  );
  assert.ok(err instanceof WorkflowFailedError && err.cause);
  return err.cause;
}

/** Names of the activities in a run's history. */
export async function scheduled(run: PreloadRun): Promise<string[]> {
  const { events } = await run.fetchHistory();
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: it }) => it?.activityType?.name ?? [],
  );
}
