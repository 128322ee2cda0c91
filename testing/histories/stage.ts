/** What histories are recorded with: a real Temporal server, our workflows, and workers that name no host. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkerOptions, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { temporal } from '@temporalio/proto';
import { createLogger } from '../../telemetry/logger.js';
import { installTemporalRuntime } from '../../workers/temporal.js';
import { eventually } from '../changes.js';
import { registerSearchAttributes } from '../temporal-env.js';
import { bundleWorkflows } from '../workflow-bundle.js';
import { historyDataConverter } from './history-key.js';

/** A history as the server has it. */
export type History = temporal.api.history.v1.IHistory;

/** Plays one story to its end and gives its history. */
export type Scenario = (stage: RecordingStage) => Promise<History>;

/** The node that scenarios speak of. */
export const NODE = 'node-1';
/** Instead of process and host of whoever records. */
const IDENTITY = 'recorder';

/** Where scenarios are played. */
export class RecordingStage {
  private constructor(
    private readonly env: TestWorkflowEnvironment,
    private readonly workflowBundle: WorkflowBundleWithSourceMap,
  ) {}

  /** @throws Error when `DROVER_TEST_TEMPORAL` does not name the program */
  static async open(): Promise<RecordingStage> {
    const path = process.env['DROVER_TEST_TEMPORAL'];
    if (path === undefined) throw new Error('DROVER_TEST_TEMPORAL must name the temporal program');
    installTemporalRuntime(createLogger('record', 'warn'));
    const env = await TestWorkflowEnvironment.createLocal({
      server: { executable: { type: 'existing-path', path } },
      client: { dataConverter: historyDataConverter, identity: IDENTITY },
    });
    await registerSearchAttributes(env);
    return new RecordingStage(env, await bundleWorkflows());
  }

  get workflows() {
    return this.env.client.workflow;
  }

  /** A worker that runs activities only. */
  activities(taskQueue: string, activities: object): Promise<Worker> {
    return this.worker({ taskQueue, activities });
  }

  /** A worker that runs workflows, and `activities` beside them. */
  workflowsAnd(taskQueue: string, activities: object = {}): Promise<Worker> {
    return this.worker({ taskQueue, activities, workflowBundle: this.workflowBundle });
  }

  close(): Promise<void> {
    return this.env.teardown();
  }

  private worker(options: WorkerOptions): Promise<Worker> {
    return Worker.create({
      connection: this.env.nativeConnection,
      identity: IDENTITY,
      dataConverter: historyDataConverter,
      maxHeartbeatThrottleInterval: '50ms',
      ...options,
    });
  }
}

/** A workflow that was started for its history. */
interface Played {
  cancel(): Promise<unknown>;
  result(): Promise<unknown>;
  fetchHistory(): Promise<History>;
}

/** Cancels a story while its node waits for leases. */
export async function cancelAtLeases(handle: Played, { calls }: { calls: readonly string[] }): Promise<void> {
  await eventually(
    () => 'the wait for the leases',
    () => (calls.includes('awaitLeases') ? true : undefined),
  );
  await handle.cancel();
}

/** The whole history, once the story has ended, however it did. */
export async function historyOf(handle: Played): Promise<History> {
  await handle.result().catch(() => undefined); // Some scenarios are failures.
  return handle.fetchHistory();
}
