/** The node gateway: the HTTP side of this node's runs and pools (`contracts/node.ts` lists the routes). */
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { z } from 'zod';
import type { ReplicaKey } from '../../activities/replica-files.js';
import { DroverError, retryAfterSeconds, statusOf, type ErrorCode } from '../../contracts/errors.js';
import {
  cancelRun,
  countTokens,
  fenceRun,
  placedRun,
  runOffer,
  type NodeDevices,
} from '../../contracts/node.js';
import { traceOf } from '../../contracts/trace.js';
import { sameSecret } from '../../security/constant-time.js';
import { BROWSER_HEADERS } from '../../security/browser-headers.js';
import { isRebound } from '../../security/loopback.js';
import { withCorrelation } from '../../telemetry/correlation.js';
import type { Logger } from '../../telemetry/logger.js';
import { countTokensOf } from './admit-run.js';
import type { AnnounceEngine } from './announce-engine.js';
import { bearerOf } from './bearer.js';
import { diskFull, isOutOfRoom } from './disk-room.js';
import { streamFrames } from './frame-stream.js';
import { machineRoutes, MACHINE_HEALTH, type MachineFacts } from './machine-routes.js';
import type { PoolRegistry } from './pool-registry.js';
import type { NodeMetrics } from './prometheus.js';
import { workerHealth } from './worker-health.js';
import type { RunRegister } from './runs.js';
import { READY_CALLBACK_PATH, workerRoutes } from './worker-routes.js';
import type { WorkerRoll } from './worker-roll.js';

declare module 'fastify' {
  interface FastifyReply {
    /** Of an answer of the gateway that is an error: its code. */
    errorKind: ErrorCode | undefined;
  }
}

/** What the gateway serves. */
export interface GatewayDeps {
  nodeId: string;
  /** Where it listens. */
  host: string;
  /** The token as it is now. */
  token: () => string;
  version: string;
  bodyLimitBytes: number;
  runs: RunRegister;
  /** False while the node is out of touch with Temporal: it takes no task and promises nothing. */
  inTouch: () => boolean;
  pools: PoolRegistry;
  workers: WorkerRoll;
  devices: () => NodeDevices;
  announceEngine: AnnounceEngine;
  /** Prometheus text of this process, and what it counts of the gateway. */
  metrics: Pick<NodeMetrics, 'text' | 'answered'>;
  /** What this machine is, and has left. */
  machine: MachineFacts;
  log: Logger;
}

/** Longest wait that one `PUT /runs/:task_id` may ask for: a workflow's local activity is short. */
const LONGEST_WAIT_MS = 60_000;
/** An offer carries the request (bounded by the API) once as asked and once as engine input. */
const OFFER_FACTOR = 3;

const waitQuery = z.object({ wait_ms: z.coerce.number().int().min(0).max(LONGEST_WAIT_MS).default(0) });
const fromQuery = z.object({ from: z.coerce.number().int().min(0).default(0) });
/** A task may come with all that it has shown elsewhere, some 110 bytes a token. */
const WHOLE_RUN_BYTES = 64 * 1_048_576;

interface TaskParams {
  Params: { task_id: string };
}

/** Builds the gateway; the caller listens and closes. */
export function buildGateway(deps: GatewayDeps): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = deps.log;
  const app = fastify({
    loggerInstance,
    disableRequestLogging: true,
    bodyLimit: deps.bodyLimitBytes * OFFER_FACTOR,
    forceCloseConnections: true,
  });
  app.decorateReply('errorKind', undefined);
  app.addHook('onResponse', (request, reply, done) => {
    // Who looks at the figures changes none (B-OBS-008).
    if (request.routeOptions.url !== '/metrics') deps.metrics.answered(reply.errorKind);
    done();
  });
  app.addHook('onRequest', carryCorrelation);
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(BROWSER_HEADERS);
    done();
  });
  app.addHook('onRequest', checkHost(deps.host));
  app.addHook('onRequest', authenticate(deps));
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) =>
    answerError(new DroverError('ROUTE_NOT_FOUND', 'no such route'), request, reply),
  );
  app.get('/health', () => ({ status: 'ok', version: deps.version }));
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await deps.metrics.text()),
  );
  machineRoutes(app, deps);
  poolRoutes(app, deps);
  workerRoutes(app, deps);
  runRoutes(app, deps);
  return app;
}

function poolRoutes(
  app: FastifyInstance,
  { nodeId, pools, devices, announceEngine, inTouch }: GatewayDeps,
): void {
  app.put<{ Params: ReplicaKey }>('/pools/:pool_id/replicas/:replica_id', (request) =>
    announceEngine(request.params, request.body),
  );
  app.post<{ Params: { id: string } }>('/pools/:id/tokens', async ({ params, body }) => ({
    tokens: await countTokensOf(pools.get(params.id), countTokens.parse(body).input),
  }));
  app.get('/devices', () => devices());
  app.get('/pools', { onRequest: requireTouch(inTouch) }, () => ({
    node_id: nodeId,
    pools: pools.snapshot(),
  }));
  app.get<{ Params: ReplicaKey }>('/workers/:pool_id/:replica_id/health', ({ params }) =>
    workerHealth(pools, params),
  );
  app.get<{ Params: { id: string } }>('/pools/:id/status', (request, reply) => {
    const status = pools.status(request.params.id);
    return status ?? reply.code(404).send({ error: `pool ${request.params.id} not found` });
  });
}

function runRoutes(app: FastifyInstance, { runs, inTouch }: GatewayDeps): void {
  const onRequest = requireTouch(inTouch);
  app.post('/runs', { onRequest }, async (request, reply) =>
    reply.code(202).send(await runs.offer(runOffer.parse(request.body))),
  );
  app.put<TaskParams>('/runs/:task_id', { onRequest, bodyLimit: WHOLE_RUN_BYTES }, async (request) => {
    const { wait_ms } = waitQuery.parse(request.query);
    const view = await runs.attach(placedRun.parse(request.body));
    return view.ended || wait_ms === 0 ? view : runs.waitForEnd(view.task_id, AbortSignal.timeout(wait_ms));
  });
  app.get<TaskParams>('/runs/:task_id', (request) => {
    const { taskId, offer } = runs.mustServe(request.params.task_id);
    return { ...runs.mustView(taskId), dialect: offer.dialect ?? null };
  });
  app.post<TaskParams>('/runs/:task_id/confirm', (request) => runs.confirm(request.params.task_id));
  app.post<TaskParams>('/runs/:task_id/withdraw', (request, reply) => {
    runs.withdraw(request.params.task_id);
    return reply.code(204).send();
  });
  app.post<TaskParams>('/runs/:task_id/cancel', (request) =>
    runs.cancel(request.params.task_id, cancelRun.parse(request.body).reason),
  );
  app.post<TaskParams>('/runs/:task_id/fence', (request) =>
    runs.fence(request.params.task_id, fenceRun.parse(request.body).epoch),
  );
  app.post<TaskParams>('/runs/:task_id/abandon', (request, reply) => {
    runs.abandon(request.params.task_id);
    return reply.code(204).send();
  });
  app.get<TaskParams>('/runs/:task_id/frames', (request, reply) => {
    const { from } = fromQuery.parse(request.query);
    const run = runs.mustServe(request.params.task_id);
    if (run.hasLost(from))
      throw new DroverError('WORKER_RESET', 'what this reader has had was lost with the node of the task');
    reply.hijack();
    streamFrames(run, from, reply.raw, () => runs.preparationOf(run));
  });
}

/** What is logged on the way to an answer names the request that it is for (B-MW-007). */
function carryCorrelation(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  const id = request.headers['x-correlation-id'];
  if (typeof id === 'string') withCorrelation(id, done, traceOf(request.headers));
  else done();
}

function requireTouch(inTouch: () => boolean) {
  return async (): Promise<void> => {
    if (!inTouch())
      throw new DroverError('POOL_UNAVAILABLE', 'the node is out of touch with Temporal', {
        retry_after_ms: 1000,
      });
    return Promise.resolve();
  };
}

/** Where a token is shown the name does not matter: no page has one. */
function checkHost(bind: string) {
  return async (request: FastifyRequest): Promise<void> => {
    const { host, authorization } = request.headers;
    if (authorization === undefined && isRebound(bind, host))
      throw new DroverError('FORBIDDEN_HOST', 'this address is served under its own name only');
    return Promise.resolve();
  };
}

/** Whoever watches a machine has no token. */
const KEYLESS: ReadonlySet<string> = new Set(['/health', '/metrics', MACHINE_HEALTH]);

function authenticate({ token, workers }: Pick<GatewayDeps, 'token' | 'workers'>) {
  return async (request: FastifyRequest): Promise<void> => {
    const { url } = request.routeOptions;
    if (KEYLESS.has(url ?? '')) return;
    const given = bearerOf(request.headers);
    if (given === undefined)
      throw new DroverError('MISSING_TOKEN', 'a bearer token is needed', { auth_code: 40101 });
    // A worker has no other door than this one: its key is not the node's token.
    if (url === READY_CALLBACK_PATH && workers.hasKey(given)) return;
    if (!sameSecret(given, token()))
      throw new DroverError('BAD_TOKEN', 'the token is wrong', { auth_code: 40102 });
    return Promise.resolve();
  };
}

function answerError(err: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toDroverError(err);
  reply.errorKind = known.code;
  if (known.code === 'INTERNAL') request.log.error({ err }, 'request failed');
  const { retry_after_ms } = known.extras;
  if (retry_after_ms !== undefined) void reply.header('retry-after', retryAfterSeconds(retry_after_ms));
  const correlationId = request.headers['x-correlation-id'];
  const envelope = known.toEnvelope(typeof correlationId === 'string' ? correlationId : undefined);
  const { code, message, details = {}, correlation_id } = envelope;
  // Nodes and workers have their own envelope for what they have agreed on (C-116).
  const body = request.url.startsWith('/v1/')
    ? { error: { code, message, details, correlation_id } }
    : envelope;
  return reply.code(statusOf(known.code)).send(body);
}

function toDroverError(err: unknown): DroverError {
  if (err instanceof DroverError) return err;
  if (err instanceof z.ZodError) {
    const details = err.issues.map((issue) => ({ field: issue.path.join('.'), problem: issue.message }));
    return new DroverError('INVALID_PARAMS', 'the request is not valid', { details });
  }
  if (isOutOfRoom(err)) return diskFull(err);
  const status = (err as { statusCode?: number }).statusCode ?? 500;
  if (status < 500) return new DroverError('INVALID_PARAMS', 'the request is not valid');
  return new DroverError('INTERNAL', 'the node failed', {}, { cause: err });
}
