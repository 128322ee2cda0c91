/**
 * The control worker: runs the workflows of pools and of registered nodes from queue `control`, reaches nodes by SSH, and
 * forgets what is too old. Any number may run; none holds anything.
 */
import { Worker } from '@temporalio/worker';
import { createRegistryActivities } from '../activities/registry-activities.js';
import { sshTransport } from '../activities/registry/ssh-transport.js';
import type { Settings } from '../contracts/settings.js';
import { CONTROL_QUEUE } from '../domain/identity.js';
import { createNodeWorkers } from '../store/node-workers.js';
import { createNodes } from '../store/nodes.js';
import type { Logger } from '../telemetry/logger.js';
import { activityCorrelation } from './activity-correlation.js';
import { sweepArtifacts } from './artifact-sweep.js';
import { installSettings } from './install-settings.js';
import { openArtifactFiles } from './process-artifacts.js';
import { openProcessStore } from './process-store.js';
import { runProcess, type RunningProcess } from './run-process.js';
import {
  connectTemporal,
  installTemporalRuntime,
  requirePayloadKeys,
  requireSearchAttributes,
  temporalDataConverter,
  workflowBundlePath,
} from './temporal.js';

/** Workflow tasks take milliseconds; longer than this nobody waits for one at the end of the process. */
const SHUTDOWN_LIMIT = '10s';
/** One visit of a node by SSH (B-NODE-003). */
const VISIT_LIMIT_MS = 10_000;
/** Visits at once; each is a process, and people ask for them. */
const MOST_VISITS = 16;

async function start(settings: Settings, log: Logger): Promise<RunningProcess> {
  const dataConverter = temporalDataConverter(requirePayloadKeys(settings));
  const store = await openProcessStore(settings, log);
  const files = await openArtifactFiles(settings, log);
  installTemporalRuntime(log);
  const connection = await connectTemporal(settings);
  await requireSearchAttributes(connection, settings.TEMPORAL_NAMESPACE);
  const worker = await Worker.create({
    connection,
    namespace: settings.TEMPORAL_NAMESPACE,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: { codePath: workflowBundlePath() },
    dataConverter,
    activities: createRegistryActivities({
      transport: sshTransport({ knownHosts: settings.DROVER_SSH_KNOWN_HOSTS, visitLimitMs: VISIT_LIMIT_MS }),
      nodes: createNodes({ db: store.db, now: Date.now }),
      install: installSettings(settings, createNodeWorkers({ db: store.db, now: Date.now })),
      log,
    }),
    interceptors: { activity: [activityCorrelation] },
    maxConcurrentActivityTaskExecutions: MOST_VISITS,
    shutdownForceTime: SHUTDOWN_LIMIT,
  });
  // Not caught here: a worker that stops by itself ends the process as an unhandled rejection.
  const running = worker.run();
  const endSweeping = sweepArtifacts({ db: store.db, files }, settings, log);
  log.info({ event: 'polling', queue: CONTROL_QUEUE }, 'polling for workflow tasks');
  return {
    close: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      await endSweeping();
      files?.close();
      await store.close();
      await connection.close();
    },
  };
}

await runProcess('control', start);
