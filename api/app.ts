/**
 * The API as a plugin that is given its clients: plugins first, in the order in which a request meets them, then routes.
 * Nothing here connects, listens or reads the environment; `server.ts` does, tests need not.
 */
import { fileURLToPath } from 'node:url';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import fp from 'fastify-plugin';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { PayloadCodec } from '@temporalio/common';
import { Registry } from 'prom-client';
import type { TaskMoves } from '../activities/task-activities.js';
import type { Settings } from '../contracts/settings.js';
import { chooserOf } from '../domain/placement-strategy.js';
import type { Audit } from '../security/audit/audit-log.js';
import type { TlsFiles } from '../security/tls-files.js';
import type { Artifacts } from '../store/artifacts.js';
import type { Keys } from '../store/keys.js';
import type { Models } from '../store/models.js';
import type { NodeWorkers } from '../store/node-workers.js';
import type { Nodes } from '../store/nodes.js';
import type { Store } from '../store/open-store.js';
import { readBuildInfo } from '../telemetry/build-info.js';
import { declareMetrics } from '../telemetry/metrics.js';
import type { NodeLink } from './clients/node-link.js';
import type { NodeInstalls } from './clients/node-installs.js';
import type { NodeVisits } from './clients/node-visits.js';
import type { TaskRecords } from './clients/task-records.js';
import { createApplyPools } from './config/apply-pools.js';
import { createPoolConfig } from './config/pool-config.js';
import { createKeyBook } from './keys/key-book.js';
import type { KnownKeys } from './keys/known-keys.js';
import { answerClientError } from './plugins/client-errors.js';
import { auditTrail } from './plugins/audit.js';
import { auth } from './plugins/auth.js';
import { cors } from './plugins/cors.js';
import { correlationId, correlationIdOf } from './plugins/correlation-id.js';
import { docsPage } from './plugins/docs-page.js';
import { errors } from './plugins/errors.js';
import { hostCheck } from './plugins/host-check.js';
import { lenientJson } from './plugins/lenient-json.js';
import { metricsPage } from './plugins/metrics.js';
import { poolConfigOf } from './plugins/pool-config.js';
import { API_VERSION, openapi } from './plugins/openapi.js';
import { keyRateLimit } from './plugins/rate-limit.js';
import { securityHeaders } from './plugins/security-headers.js';
import { eventStreams } from './plugins/sse.js';
import type { NodeDirectory } from './nodes/node-directory.js';
import { nodesOf } from './nodes/plugin.js';
import { createTaskTails } from './relay/task-tails.js';
import { codecRoutes } from './routes/codec.js';
import { healthRoutes } from './routes/health.js';
import { completionRoutes, type CompletionRoutesOptions } from './routes/v1/completions.js';
import { embeddingRoutes } from './routes/v1/embeddings.js';
import { messageRoutes } from './routes/v1/messages.js';
import { rerankRoutes } from './routes/v1/rerank.js';
import { modelRoutes } from './routes/v1/models.js';
import { responseRoutes } from './routes/v1/responses.js';
import { createCountTokens } from './anthropic/count-tokens.js';
import { catalog } from './catalog/plugin.js';
import { createModelFiles } from './catalog/model-files.js';
import { createModelGate } from './catalog/model-gate.js';
import { artifactRoutes } from './routes/v2/artifacts.js';
import { circuitRoutes } from './routes/v2/circuits.js';
import { configRoutes } from './routes/v2/config.js';
import { keyRoutes } from './routes/v2/keys.js';
import { metaRoutes } from './routes/v2/meta.js';
import { operationRoutes } from './routes/v2/operations.js';
import { poolPurgeRoutes } from './routes/v2/pool-purge.js';
import { poolRoutes } from './routes/v2/pools.js';
import { sessionRoutes } from './routes/v2/sessions.js';
import { taskEventRoutes } from './routes/v2/task-events.js';
import { taskRoutes } from './routes/v2/tasks.js';
import { workerStateRoutes } from './routes/v2/worker-states.js';
import { workerRoutes } from './routes/v2/workers.js';
import type { SessionBook } from './sessions/session-book.js';
import { createAdmission } from './tasks/admit-task.js';
import { createCancel } from './tasks/cancel-task.js';
import { createCapabilities } from './tasks/capabilities.js';
import { refusalCounter } from './tasks/count-refusal.js';
import { createTaskLocator } from './tasks/locate-task.js';
import { createTaskMoves } from './tasks/move-task.js';
import { createPlacePulled } from './tasks/place-pulled.js';
import { createPlacer } from './tasks/place-task.js';
import { createPoolBoard } from './tasks/pool-board.js';
import { createPoolLook } from './tasks/pool-events.js';
import { createReadPools } from './tasks/pool-health.js';
import { createDrain } from './tasks/drain.js';
import { createPreload } from './tasks/preload.js';
import { createRegisterWorker } from './tasks/register-worker.js';
import { createPurge } from './tasks/purge.js';
import { createReload } from './tasks/reload.js';
import { createResetCircuit } from './tasks/reset-circuit.js';
import { createTaskStatus } from './tasks/task-status.js';
import { createWorkerBook } from './tasks/worker-book.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** For the workflows of this process. */
    taskMoves: TaskMoves;
  }
}

/** What the API works with. */
export interface ApiDeps {
  settings: Settings;
  records: TaskRecords;
  nodes: NodeLink;
  /** Seals and opens payloads for the codec endpoint. */
  codec: PayloadCodec;
  artifacts: Artifacts;
  models: Models;
  /** Copies the database that these are in. */
  backup: Store['backup'];
  /** The registry of nodes, and how they are visited. */
  registered: Nodes;
  visits: NodeVisits;
  installs: NodeInstalls;
  /** Nodes that report, and what is known of them by now. */
  nodeWorkers: NodeWorkers;
  directory: NodeDirectory;
  keys: Keys;
  sessionBook: SessionBook;
  audit: Audit;
  /** Who the keys belong to. */
  known: KnownKeys;
  /** What workers and nodes are known by now. */
  nodeToken: () => string;
  now: () => number;
  /** Of this program, for `/health`. */
  version: string;
}

/** Ids of tasks and pools are at most 128 characters; each may be percent-encoded in three. */
const LONGEST_PARAMETER = 512;

/** A client that takes longer to send a request holds a connection for nothing; answers may take as long as they like. */
const REQUEST_TIMEOUT_MS = 60_000;

/** A tenth of the time between two tokens that people notice; an engine puts out two or three of them meanwhile. */
const GATHER_MS = 20;

/** The engine that Drover brings along, as it is run here; nodes have the same package at the same place. */
const EMBEDDED_ENGINE = {
  binary: process.execPath,
  main: fileURLToPath(new URL('../engines/embedded/main.js', import.meta.url)),
};

/** Makes the server that the API is registered in; with `tls` it speaks HTTPS. */
export function createServer(settings: Settings, log: FastifyBaseLogger, tls?: TlsFiles): FastifyInstance {
  const options = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'correlation_id' }),
    genReqId: correlationIdOf,
    bodyLimit: settings.DROVER_BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    // An API that ends still answers what it has begun to hear; new streams are refused by their plugin.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: (err: Error, request: FastifyRequest, reply: FastifyReply) => {
      void reply.header('x-correlation-id', request.id);
      request.server.answerWithError(err, request, reply);
    },
  };
  if (tls === undefined) return Fastify(options);
  return Fastify({ ...options, https: { ...tls, minVersion: 'TLSv1.2' } });
}

/** The API. */
export const api = fp<ApiDeps>(
  async (app, deps) => {
    const registry = new Registry();
    const metrics = declareMetrics(registry);
    const { settings } = deps;
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    await app.register(openapi);
    await app.register(correlationId);
    await app.register(securityHeaders, { tls: settings.DROVER_TLS_CERT !== undefined });
    await app.register(errors, { perSecond: settings.DROVER_INVALID_REQUEST_LIMIT, now: deps.now });
    await app.register(hostCheck, { host: settings.DROVER_API_HOST });
    await app.register(cors, { origins: settings.DROVER_CORS_ORIGINS });
    await app.register(auditTrail, { audit: deps.audit, now: deps.now });
    await app.register(auth, {
      keys: deps.known,
      optional: settings.AUTH_OPTIONAL,
      trustProxy: settings.TRUST_PROXY_AUTH,
    });
    await app.register(keyRateLimit, { perMinute: settings.DROVER_KEY_RATE_LIMIT });
    await app.register(docsPage);
    await app.register(lenientJson);
    await app.register(metricsPage, { registry });
    await app.register(eventStreams, {
      heartbeatMs: settings.DROVER_SSE_HEARTBEAT_MS,
      onCount: (open) => metrics.streamsActive.set(open),
    });
    await registerRoutes(app, deps, metrics);
  },
  { name: 'api', fastify: '5.x' },
);

async function registerRoutes(
  app: FastifyInstance,
  deps: ApiDeps,
  metrics: ReturnType<typeof declareMetrics>,
): Promise<void> {
  const { settings, records, nodes, now } = deps;
  const locator = createTaskLocator(records, nodes);
  const board = createPoolBoard(nodes, now);
  const { sessionBook } = deps;
  const tails = createTaskTails({ nodes, locator, now, log: app.log, onFirstToken: sessionBook.firstToken });
  const readPools = createReadPools(board);
  const place = createPlacer({
    ...{ board, metrics, now },
    policy: {
      choose: chooserOf(settings.DROVER_PLACEMENT_STRATEGY, Math.random),
      pinning: settings.DROVER_PLACEMENT_PINNING === 'allow',
    },
  });
  const { models } = deps;
  const files = createModelFiles(settings.DROVER_MODEL_CACHE_DIR);
  const gate = createModelGate({ models, files, metrics, log: app.log, now });
  const preloadPool = createPreload(records, board, settings.DROVER_SUPERVISION);
  const backend = settings.DROVER_MODELS_ON_DEMAND;
  const pulled = { place, backend, models, files, board, preloadPool, embedded: EMBEDDED_ENGINE };
  const admitTask = createAdmission({
    nodes,
    records,
    locator,
    board,
    place: createPlacePulled(pulled),
    gate,
    sessionBook,
    metrics,
    audit: deps.audit,
    now,
  });
  const countRefusal = refusalCounter(metrics);
  const cancelTask = createCancel({ nodes, records, locator, tails });
  const moving = { nodes, place, board, tails, locator, audit: deps.audit, log: app.log };
  app.decorate('taskMoves', createTaskMoves(moving));
  await app.register(healthRoutes, { version: deps.version, records, readPools });
  await app.register(taskRoutes, {
    limits: { maxOutputTokens: settings.DROVER_MAX_OUTPUT_TOKENS },
    admitTask,
    readTaskStatus: createTaskStatus({ nodes, records, locator, artifacts: deps.artifacts }),
    cancelTask,
    sessionBook,
    countRefusal,
  });
  const { commit: build_commit, time: build_time } = readBuildInfo();
  await app.register(metaRoutes, {
    readCapabilities: createCapabilities({
      readPools,
      apiVersion: API_VERSION,
      maxOutputTokens: settings.DROVER_MAX_OUTPUT_TOKENS,
      now,
    }),
    version: { api_version: API_VERSION, version: deps.version, build_commit, build_time },
  });
  await app.register(workerRoutes, {
    registerWorker: createRegisterWorker(nodes, board),
    token: deps.nodeToken,
    keys: deps.known,
  });
  await app.register(workerStateRoutes, { workers: createWorkerBook(nodes) });
  await app.register(keyRoutes, { keyBook: createKeyBook({ keys: deps.keys, known: deps.known, now }) });
  await app.register(sessionRoutes, { sessionBook });
  await app.register(artifactRoutes, { artifacts: deps.artifacts });
  const gatherMs = settings.DROVER_SSE_MICROBATCH ? GATHER_MS : 0;
  await app.register(taskEventRoutes, { tails, metrics, gatherMs });
  const completions: CompletionRoutesOptions = {
    tails,
    admitTask,
    countRefusal,
    maxOutputTokens: settings.DROVER_MAX_OUTPUT_TOKENS,
    onDrop: (type) => metrics.streamDrops.inc({ event_type: type }),
  };
  await app.register(completionRoutes, completions);
  await app.register(messageRoutes, {
    ...completions,
    countTokens: createCountTokens({ nodes, place, gate }),
  });
  await app.register(embeddingRoutes, completions);
  await app.register(rerankRoutes, completions);
  await app.register(responseRoutes, { ...completions, cancelTask });
  await app.register(modelRoutes, { readPools, startedAtMs: now() });
  const drainPool = createDrain(records, readPools, board);
  const addressOf = (nodeId: string) =>
    settings.DROVER_NODES.find(({ id }) => id === nodeId)?.url ?? deps.directory.urlOf(nodeId);
  await app.register(catalog, {
    addressOf,
    settings,
    records,
    nodes,
    models,
    files,
    gate,
    metrics,
    board,
    drainPool,
    now,
    backup: deps.backup,
  });
  const reloadPool = createReload(records, readPools);
  await app.register(poolRoutes, { readPools, preloadPool, drainPool, reloadPool });
  const applying = { records, board, preloadPool, reloadPool, drainPool, embedded: EMBEDDED_ENGINE, now };
  const poolConfig = createPoolConfig({
    path: settings.DROVER_CONFIG,
    applyPools: createApplyPools(applying),
    log: app.log,
    now,
  });
  await app.register(poolConfigOf, { poolConfig });
  await app.register(configRoutes, { poolConfig });
  await app.register(poolPurgeRoutes, { purgePool: createPurge(records, readPools, board) });
  const { installs, registered, visits, nodeWorkers, directory, version } = deps;
  await app.register(operationRoutes, { records, lookAtPool: createPoolLook(records, readPools), installs });
  await app.register(nodesOf, {
    ...{ settings, metrics, version, token: deps.nodeToken, keys: deps.known },
    ...{ registered, visits, installs, nodeWorkers, directory, board, readPools, drainPool },
    ...{ links: nodes, records, addressOf },
  });
  await app.register(circuitRoutes, { resetCircuit: createResetCircuit(records, readPools) });
  const { DROVER_CODEC_SECRET: secret, DROVER_UI_ORIGIN: uiOrigin } = settings;
  if (secret !== undefined) await app.register(codecRoutes, { codec: deps.codec, secret, uiOrigin });
}
