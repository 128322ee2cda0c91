/**
 * The Temporal worker of queue `tasks`. It lives in the API process and shares its connection, so that a task's workflow
 * begins in the process that started it, without a way through Temporal's queues (design §2). What pool workflows ask of the
 * catalogue is done here too, where database and model cache are.
 */
import { Worker, type NativeConnection } from '@temporalio/worker';
import type { DataConverter } from '@temporalio/common';
import { createCatalogActivities, type CatalogDeeds } from '../activities/catalog-activities.js';
import {
  createTaskActivities,
  type KeepTranscript,
  type RunLink,
  type TaskMoves,
} from '../activities/task-activities.js';
import { TASKS_QUEUE } from '../domain/identity.js';
import { activityCorrelation } from './activity-correlation.js';
import { workflowBundlePath } from './temporal.js';

/** What the worker is given. */
export interface TasksWorkerOptions {
  /** The client's own connection: starts are eager only over the one that a worker polls with. */
  connection: NativeConnection;
  namespace: string;
  dataConverter: DataConverter;
  runs: RunLink;
  keepTranscript: KeepTranscript;
  taskMoves: TaskMoves;
  catalog: CatalogDeeds;
}

/**
 * A local activity holds its workflow task's slot while it follows a run. With the default of 40 slots, 100 starts of 3 s
 * each were 27 % eager and the last began 11.6 s late; with 1,000 all were eager.
 */
const SLOTS = 2_000;
/** Local activities end within 1.5 s; whoever is asked to end waits for no more than that and a margin. */
const SHUTDOWN_GRACE = '3s';

/** Makes the worker; the caller runs it and shuts it down. */
export function createTasksWorker(options: TasksWorkerOptions): Promise<Worker> {
  const { connection, namespace, dataConverter, runs, keepTranscript, taskMoves, catalog } = options;
  return Worker.create({
    connection,
    namespace,
    dataConverter,
    taskQueue: TASKS_QUEUE,
    workflowBundle: { codePath: workflowBundlePath() },
    activities: {
      ...createTaskActivities(runs, keepTranscript, taskMoves),
      ...createCatalogActivities(catalog),
    },
    interceptors: { activity: [activityCorrelation] },
    maxConcurrentWorkflowTaskExecutions: SLOTS,
    maxConcurrentLocalActivityExecutions: SLOTS,
    shutdownGraceTime: SHUTDOWN_GRACE,
  });
}
