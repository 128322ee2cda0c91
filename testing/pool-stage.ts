/** The stage for tests of operations on a pool: a time-skipping server, a control worker, and a node played by twins. */
import assert from 'node:assert/strict';
import { Context } from '@temporalio/activity';
import {
  type WorkflowHandleWithFirstExecutionRunId,
  type WorkflowHandleWithSignaledRunId,
  WorkflowFailedError,
} from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { NodeActivities } from '../activities/index.js';
import type { DrainPoolInput, ReloadPoolInput } from '../contracts/pool.js';
import { CONTROL_QUEUE, nodeQueue } from '../domain/identity.js';
import type { drainPool } from '../workflows/drain-pool.js';
import type { reloadPool } from '../workflows/reload-pool.js';
import { drainAskedSignal } from '../workflows/messages.js';
import { testDataConverter, timeSkippingEnvironment } from './temporal-env.js';
import { bundleWorkflows } from './workflow-bundle.js';

/** Activities that a twin plays; a call of another one fails. */
export type PlayedActivities = Partial<NodeActivities>;

/** A drain that was started. */
export type DrainRun = WorkflowHandleWithSignaledRunId<typeof drainPool>;

/** A reload that was started. */
export type ReloadRun = WorkflowHandleWithFirstExecutionRunId<typeof reloadPool>;

/** A stage that is open. */
export interface PoolStage {
  /** Drains the pool of this id, or joins its drain, on a node that is played by the twin. */
  drain(poolId: string, twin: PlayedActivities, deadlineMs: number): Promise<DrainRun>;
  /** Reloads the pool of this id on a node that is played by the twin. */
  reload(poolId: string, twin: PlayedActivities, changes?: Partial<ReloadPoolInput>): Promise<ReloadRun>;
  close(): Promise<void>;
}

/** The node that twins play. */
export const TWIN_NODE = 'node-1';

const ACTIVITIES = [
  ...(['markPoolDraining', 'awaitLeases', 'endLeases', 'stopEngine', 'markPoolOffline'] as const),
  ...(['liftDrain', 'planReload', 'preflight', 'spawnEngine', 'awaitEngineReady', 'probeEngine'] as const),
  ...(['writeHandoff', 'switchEngine', 'markPoolReloading', 'markPoolReady', 'endReload'] as const),
] as const;

/** Opens a stage; one a test file, since it takes seconds. */
export async function openPoolStage(): Promise<PoolStage> {
  const env = await timeSkippingEnvironment();
  /** The twin of each run, by workflow id: what one test leaves cannot answer another. */
  const twins = new Map<string, PlayedActivities>();
  const play = (name: keyof NodeActivities) => (input: unknown) => {
    const twin = twins.get(Context.current().info.workflowExecution?.workflowId ?? '');
    const activity = twin?.[name] as ((given: unknown) => Promise<unknown>) | undefined;
    return activity?.(input) ?? Promise.reject(new Error(`nobody plays ${name}`));
  };
  const shared = { connection: env.nativeConnection, dataConverter: testDataConverter };
  const workers = await Promise.all([
    Worker.create({ ...shared, taskQueue: CONTROL_QUEUE, workflowBundle: await bundleWorkflows() }),
    Worker.create({
      ...shared,
      taskQueue: nodeQueue(TWIN_NODE),
      activities: Object.fromEntries(ACTIVITIES.map((name) => [name, play(name)])),
      maxHeartbeatThrottleInterval: 100,
    }),
  ]);
  const running = workers.map((worker) => worker.run());
  return {
    drain(pool_id, twin, deadline_ms) {
      const workflowId = `pool:${pool_id}:drain`;
      twins.set(workflowId, twin);
      const input: DrainPoolInput = { node_id: TWIN_NODE, pool_id, correlation_id: 'corr-1', deadline_ms };
      return env.client.workflow.signalWithStart<typeof drainPool, [{ deadline_ms: number }]>('drainPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [input],
        signal: drainAskedSignal,
        signalArgs: [{ deadline_ms }],
      });
    },
    reload(pool_id, twin, changes = {}) {
      const workflowId = `pool:${pool_id}:reload`;
      twins.set(workflowId, twin);
      const input: ReloadPoolInput = {
        ...{ node_id: TWIN_NODE, pool_id, correlation_id: 'corr-1', new_model_ref: 'file:/models/new.gguf' },
        ...{ drain_deadline_ms: 60_000, force: false, strategy: 'auto', health_timeout_ms: 5_000 },
        ...changes,
      };
      return env.client.workflow.start<typeof reloadPool>('reloadPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [input],
      });
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await env.teardown();
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
