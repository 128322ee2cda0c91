/** The API process: connects, listens, ends in order; everything between is `app.ts`. */
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { Settings } from '../contracts/settings.js';
import { deadLimits } from '../domain/restart-policy.js';
import type { AuditLog } from '../security/audit/audit-log.js';
import { payloadCodec } from '../security/payload-codec.js';
import { readTlsFiles } from '../security/tls-files.js';
import type { ArtifactFiles } from '../store/artifact-files.js';
import { createArtifacts } from '../store/artifacts.js';
import { createKeys } from '../store/keys.js';
import { createModels } from '../store/models.js';
import { createNodeWorkers } from '../store/node-workers.js';
import { createNodes } from '../store/nodes.js';
import { createSessions } from '../store/sessions.js';
import type { Logger } from '../telemetry/logger.js';
import { packageVersion } from '../telemetry/package-version.js';
import { openProcessAudit } from '../workers/process-audit.js';
import { openArtifactFiles } from '../workers/process-artifacts.js';
import { openProcessStore } from '../workers/process-store.js';
import { runProcess, StartError, type RunningProcess } from '../workers/run-process.js';
import { createTasksWorker } from '../workers/tasks.js';
import {
  connectTemporal,
  installTemporalRuntime,
  requirePayloadKeys,
  requireSearchAttributes,
  temporalDataConverter,
} from '../workers/temporal.js';
import { api, createServer } from './app.js';
import { createDownloads, createRecordModel, createStageModel } from './catalog/downloads.js';
import { createModelFiles } from './catalog/model-files.js';
import { createModelRemoval } from './catalog/remove-model.js';
import { createNodeLink, type OpenNodeLink } from './clients/node.js';
import { createNodeInstalls } from './clients/node-installs.js';
import { createNodeVisits } from './clients/node-visits.js';
import type { OpenTaskRecords } from './clients/task-records.js';
import { createTaskRecords } from './clients/temporal.js';
import { createKnownKeys } from './keys/known-keys.js';
import { createNodeDirectory } from './nodes/node-directory.js';
import { createSessionBook, sessionLimits } from './sessions/session-book.js';
import { createPoolBoard } from './tasks/pool-board.js';
import { auditCompletion } from './tasks/audit-task.js';
import { startSecrets } from './start-secrets.js';

async function start(settings: Settings, log: Logger): Promise<RunningProcess> {
  let { nodeToken } = mustStart(settings);
  const tls = readTlsFiles(settings);
  for (const problem of deadLimits(settings.DROVER_SUPERVISION)) {
    const line = { event: 'dead_limit', setting: 'DROVER_SUPERVISION', problem };
    log.warn(line, 'a limit of the restart policy cannot be reached');
  }
  const ring = requirePayloadKeys(settings);
  const store = await openProcessStore(settings, log);
  const nodeWorkers = createNodeWorkers({ db: store.db, now: Date.now });
  const directory = createNodeDirectory({ nodeWorkers, log, now: Date.now });
  const nodes = createNodeLink({
    nodes: settings.DROVER_NODES,
    ...(settings.DROVER_NODE_REGISTRATION === 'open' ? { registered: directory } : {}),
    token: () => nodeToken,
  });
  const kept = await openArtifactFiles(settings, log);
  const artifacts = createArtifacts({ db: store.db, seal: ring, files: kept, now: Date.now });
  const audit = await openProcessAudit('api', settings, log);
  installTemporalRuntime(log);
  const connection = await connectTemporal(settings);
  await requireSearchAttributes(connection, settings.TEMPORAL_NAMESPACE);
  const shared = {
    connection,
    namespace: settings.TEMPORAL_NAMESPACE,
    dataConverter: temporalDataConverter(ring),
  };
  const keys = createKeys({ db: store.db, now: Date.now });
  const known = createKnownKeys({ keys, bootstrap: settings.DROVER_API_KEYS, log, now: Date.now });
  const ttlMs = settings.DROVER_SESSION_TTL_MS;
  const sessions = createSessions({ db: store.db, now: Date.now, ttlMs });
  const sessionBook = createSessionBook({ sessions, limits: sessionLimits(settings), log, now: Date.now });
  const models = createModels({ db: store.db, now: Date.now });
  const files = createModelFiles(settings.DROVER_MODEL_CACHE_DIR);
  const board = createPoolBoard(nodes, Date.now);
  const removal = createModelRemoval({ models, files, board, now: Date.now });
  const records = createTaskRecords({ ...shared, startTimeoutMs: settings.DROVER_START_TIMEOUT_MS });
  const { DROVER_TRUST_POLICY: trustMode } = settings;
  const downloads = createDownloads({ records, models, files, board, trustMode, nodes });
  const app = createServer(settings, log, tls);
  await app.register(api, {
    settings,
    records,
    nodes,
    codec: payloadCodec(ring),
    artifacts,
    nodeToken: () => nodeToken,
    keys,
    sessionBook,
    known,
    audit,
    models,
    backup: store.backup,
    registered: createNodes({ db: store.db, now: Date.now }),
    visits: createNodeVisits(shared),
    installs: createNodeInstalls(shared),
    nodeWorkers,
    directory,
    now: Date.now,
    version: packageVersion(),
  });
  const worker = await createTasksWorker({
    ...shared,
    runs: nodes.runs,
    keepTranscript: async (taskId, transcript) => {
      await sessionBook.ended(taskId, transcript);
      const id = await artifacts.keepTranscript(taskId, transcript);
      auditCompletion(audit, taskId, transcript);
      return id;
    },
    taskMoves: app.taskMoves,
    catalog: {
      removeModel: ({ model_id, force, correlation_id: correlationId }) =>
        removal.purge(model_id, force, { correlationId }),
      recordModel: createRecordModel(models),
      stageModel: createStageModel(downloads, records, log),
    },
  });
  // Not caught here: a worker that stops by itself ends the process as an unhandled rejection.
  const working = worker.run();
  // Whom nobody had to ask before; a store that is away now is read at the next look.
  await directory.refresh().catch(() => undefined);
  const endLooking = directory.start();
  const url = await listen(app, settings);
  log.info({ event: 'listening', url }, 'the API listens');
  return {
    ...(settings.DROVER_CONFIG === undefined ? {} : { hangUp: () => app.poolConfig.hangUp() }),
    close: async () => {
      endLooking();
      await close({ app, records, worker, working, nodes, connection, store, kept, audit });
    },
    reload: (next) => {
      const [secrets, files] = [mustStart(next), readTlsFiles(next)];
      ({ nodeToken } = secrets);
      known.useBootstrap(next.DROVER_API_KEYS);
      if (app.server instanceof TlsServer && files !== undefined) app.server.setSecureContext(files);
    },
  };
}

/** @throws StartError that says which secret is missing or too short */
function mustStart(settings: Settings): { nodeToken: string } {
  const secrets = startSecrets(settings);
  if ('problem' in secrets) throw new StartError(secrets.problem);
  return secrets;
}

/** Streams end and requests finish first; what they use is closed after them. */
async function close(open: {
  app: FastifyInstance;
  records: OpenTaskRecords;
  worker: { shutdown(): void; getState(): string };
  working: Promise<void>;
  nodes: OpenNodeLink;
  connection: { close(): Promise<void> };
  store: { close(): Promise<void> };
  kept: ArtifactFiles | undefined;
  audit: AuditLog;
}): Promise<void> {
  await open.app.close();
  open.records.close();
  if (open.worker.getState() === 'RUNNING') open.worker.shutdown();
  await open.working;
  await open.nodes.close();
  await open.connection.close();
  await open.store.close();
  open.kept?.close();
  await open.audit.close();
}

async function listen(app: FastifyInstance, settings: Settings): Promise<string> {
  const { DROVER_API_HOST: host, DROVER_API_PORT: port } = settings;
  try {
    return await app.listen({ host, port });
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? err.code : undefined;
    if (code === 'EADDRINUSE') {
      throw new StartError(
        `Port ${port} of ${host} is taken. Set DROVER_API_PORT to another, or 0 for any.`,
        { cause: err },
      );
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES') {
      throw new StartError(
        `Cannot listen on ${host}:${port} (${code}). Set DROVER_API_HOST and DROVER_API_PORT.`,
        { cause: err },
      );
    }
    throw err;
  }
}

await runProcess('api', start);
