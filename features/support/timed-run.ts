/** Workflows on the time-skipping server, over nodes that are typed twins in memory: minutes pass in milliseconds. */
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { CONTROL_QUEUE, nodeQueue, nodeRunsQueue, TASKS_QUEUE } from '../../domain/identity.js';
import { timeSkippingEnvironment, testDataConverter } from '../../testing/temporal-env.js';
import type { StagePlace } from '../../testing/twin-stage.js';
import { workflowBundlePath } from '../../workers/temporal.js';
import { findTestParts } from './places.js';

/** Activities of a node that is none: by name, as its worker would register them. */
export type TwinActivities = Record<string, (input: never) => Promise<unknown>>;

/** A node of a timed scenario; without activities nobody polls its queues. */
export interface TimedNode {
  id: string;
  activities?: TwinActivities;
}

/** How a workflow ended, and how long that took by the server's clock. */
export interface TimedEnd {
  result?: unknown;
  failure?: { type: string | null | undefined; message: string };
  tookMs: number;
  /** Names of the activities in its history, in their order. */
  activities: string[];
}

/** A workflow to run. */
export interface TimedWorkflow {
  type: string;
  queue: string;
  id: string;
  input: unknown;
}

let environment: TestWorkflowEnvironment | undefined;

/** Starts the server. */
export async function startTimed(): Promise<void> {
  process.env['DROVER_TEST_SERVER'] ??= (await findTestParts()).DROVER_TEST_SERVER;
  environment = await timeSkippingEnvironment();
}

/** Ends the server. */
export async function endTimed(): Promise<void> {
  await environment?.teardown();
  environment = undefined;
}

/** Where a stage may stand: the server, and the workflows as they were built. */
export function timedPlace(): StagePlace {
  if (environment === undefined) throw new Error('the scenario has no time-skipping server');
  return { env: environment, workflowBundle: { codePath: workflowBundlePath() } };
}

/**
 * Runs a workflow to its end on a node.
 * @param local - local activities of the queue `tasks`, which an API process would serve
 */
export async function runTimed(
  workflow: TimedWorkflow,
  node: TimedNode,
  local: TwinActivities = {},
): Promise<TimedEnd> {
  const { env, workflowBundle } = timedPlace();
  const shared = { connection: env.nativeConnection, dataConverter: testDataConverter };
  const story = await Worker.create({
    ...shared,
    taskQueue: workflow.queue,
    workflowBundle,
    ...(workflow.queue === TASKS_QUEUE ? { activities: local } : {}),
  });
  const nodes = await nodeWorkers(node, shared);
  return runWith([story, ...nodes], async () => {
    const { type, queue, id, input } = workflow;
    const handle = await env.client.workflow.start(type, { taskQueue: queue, workflowId: id, args: [input] });
    return endOf(handle);
  });
}

function nodeWorkers(
  { id, activities }: TimedNode,
  shared: {
    connection: TestWorkflowEnvironment['nativeConnection'];
    dataConverter: typeof testDataConverter;
  },
): Promise<Worker[]> {
  if (activities === undefined) return Promise.resolve([]);
  const queues = [nodeQueue(id), nodeRunsQueue(id)];
  return Promise.all(queues.map((taskQueue) => Worker.create({ ...shared, taskQueue, activities })));
}

async function runWith<T>([first, ...others]: Worker[], work: () => Promise<T>): Promise<T> {
  if (first === undefined) return work();
  return first.runUntil(() => runWith(others, work));
}

async function endOf(handle: WorkflowHandle): Promise<TimedEnd> {
  const settled = await handle.result().then(
    (result: unknown) => ({ result }),
    (err: unknown) => ({ failure: failureOf(err) }),
  );
  const { startTime, closeTime } = await handle.describe();
  const { events } = await handle.fetchHistory();
  const activities = (events ?? []).flatMap(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
  );
  return { ...settled, tookMs: (closeTime?.getTime() ?? NaN) - startTime.getTime(), activities };
}

function failureOf(err: unknown): { type: string | null | undefined; message: string } {
  if (!(err instanceof WorkflowFailedError)) throw err;
  const { cause } = err;
  if (cause instanceof ApplicationFailure) return { type: cause.type, message: cause.message };
  throw err;
}

/** Queue of pools' workflows. */
export const POOLS = CONTROL_QUEUE;

/** Queue of tasks' workflows. */
export const TASKS = TASKS_QUEUE;
