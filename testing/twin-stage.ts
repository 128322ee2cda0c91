/** The stage for tests of pools' workflows: a time-skipping server, a control worker, and a node played by twins. */
import assert from 'node:assert/strict';
import { Context } from '@temporalio/activity';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { CatalogActivities } from '../activities/catalog-activities.js';
import type { NodeActivities } from '../activities/index.js';
import { ApplicationFailure } from '@temporalio/common';
import { CONTROL_QUEUE, nodeModelsQueue, nodeQueue, nodeRunsQueue, TASKS_QUEUE } from '../domain/identity.js';
import { testDataConverter, timeSkippingEnvironment } from './temporal-env.js';
import { bundleWorkflows } from './workflow-bundle.js';

/** Activities that a twin plays; a call of another one fails. */
export type PlayedActivities = Partial<NodeActivities & CatalogActivities>;

/** A stage that is open. */
export interface TwinStage {
  workflow: Client['workflow'];
  /** The twin of each run, by workflow id: what one test leaves cannot answer another. */
  twins: Map<string, PlayedActivities>;
  /** Lets so much time pass by the server's clock. */
  sleep: (ms: number) => Promise<void>;
  close: () => Promise<void>;
}

/** The node that twins play. */
export const TWIN_NODE = 'node-1';

/** A server that somebody else ends, and the workflows that run on it. */
export interface StagePlace {
  env: TestWorkflowEnvironment;
  workflowBundle: WorkflowBundleOption;
  /** 0: every step and every question replays the whole history. */
  maxCachedWorkflows?: number;
}

/**
 * Opens a stage whose node knows these activities.
 * @param place - without it the stage has a server of its own: one a test file, since that takes seconds
 */
export async function openTwinStage(
  activities: readonly (keyof NodeActivities)[],
  place?: StagePlace,
): Promise<TwinStage> {
  const env = place?.env ?? (await timeSkippingEnvironment());
  const workflowBundle = place?.workflowBundle ?? (await bundleWorkflows());
  const twins = new Map<string, PlayedActivities>();
  const play =
    (name: keyof PlayedActivities) =>
    (...input: unknown[]) => {
      const twin = twins.get(Context.current().info.workflowExecution?.workflowId ?? '');
      const activity = twin?.[name] as ((...given: unknown[]) => Promise<unknown>) | undefined;
      return activity?.(...input) ?? Promise.reject(new Error(`nobody plays ${name}`));
    };
  const shared = { connection: env.nativeConnection, dataConverter: testDataConverter };
  const { maxCachedWorkflows } = place ?? {};
  const cache = maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows };
  // Every preload leaves a supervisor behind. A wait that is tried again: time passes only between two tries.
  const watch = (input: unknown) => {
    const { workflowId = '' } = Context.current().info.workflowExecution ?? {};
    return twins.get(workflowId)?.watchEngine === undefined ? stillServes() : play('watchEngine')(input);
  };
  const workers = await Promise.all([
    Worker.create({ ...shared, ...cache, taskQueue: CONTROL_QUEUE, workflowBundle }),
    Worker.create({
      ...shared,
      taskQueue: nodeQueue(TWIN_NODE),
      activities: Object.fromEntries(activities.map((name) => [name, play(name)])),
      maxHeartbeatThrottleInterval: 100,
    }),
    Worker.create({
      ...shared,
      taskQueue: nodeRunsQueue(TWIN_NODE),
      activities: { watchEngine: watch },
    }),
    // The catalogue, which any API has.
    Worker.create({
      ...shared,
      taskQueue: TASKS_QUEUE,
      activities: {
        removeModel: play('removeModel'),
        recordModel: play('recordModel'),
        stageModel: play('stageModel'),
      },
    }),
    Worker.create({
      ...shared,
      taskQueue: nodeModelsQueue(TWIN_NODE),
      activities: { fetchModelFile: play('fetchModelFile'), takeEngineStep: play('takeEngineStep') },
    }),
  ]);
  const running = workers.map((worker) => worker.run());
  return {
    workflow: env.client.workflow,
    twins,
    sleep: (ms) => env.sleep(ms),
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      if (place === undefined) await env.teardown();
    },
  };
}

/** Why an operation ended; it must have failed. */
export async function failureOf(run: { result(): Promise<unknown> }): Promise<Error> {
  const err = await run.result().then(
    () => assert.fail('the operation succeeded'),
    (cause: unknown) => cause,
  );
  assert.ok(err instanceof WorkflowFailedError && err.cause);
  return err.cause;
}

/** Nothing has happened to the engine, and nothing will for so long. */
export function stillServes(forMs = 3_600_000): Promise<never> {
  const message = 'the engine serves';
  return Promise.reject(ApplicationFailure.create({ message, type: 'SERVES', nextRetryDelay: forMs }));
}
