/** The API process: connects, listens, ends in order; everything between is `app.ts`. */
import type { FastifyInstance } from 'fastify';
import type { Settings } from '../contracts/settings.js';
import { payloadCodec } from '../security/payload-codec.js';
import type { Logger } from '../telemetry/logger.js';
import { packageVersion } from '../telemetry/package-version.js';
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
import { createNodeLink, type OpenNodeLink } from './clients/node.js';
import type { OpenTaskRecords } from './clients/task-records.js';
import { createTaskRecords } from './clients/temporal.js';
import { isLoopback } from './plugins/host-check.js';

/** A key that others on the network may try must be long (B-AUTH-003). */
const SHORTEST_PUBLIC_KEY = 16;

async function start(settings: Settings, log: Logger): Promise<RunningProcess> {
  requireKeys(settings);
  const ring = requirePayloadKeys(settings);
  const nodes = createNodeLink({ nodes: settings.DROVER_NODES, token: requireNodeToken(settings) });
  installTemporalRuntime(log);
  const connection = await connectTemporal(settings);
  await requireSearchAttributes(connection, settings.TEMPORAL_NAMESPACE);
  const shared = {
    connection,
    namespace: settings.TEMPORAL_NAMESPACE,
    dataConverter: temporalDataConverter(ring),
  };
  const worker = await createTasksWorker({ ...shared, runs: nodes.runs });
  const records = createTaskRecords({ ...shared, startTimeoutMs: settings.DROVER_START_TIMEOUT_MS });
  const app = createServer(settings, log);
  await app.register(api, {
    settings,
    records,
    nodes,
    codec: payloadCodec(ring),
    now: Date.now,
    version: packageVersion(),
  });
  // Not caught here: a worker that stops by itself ends the process as an unhandled rejection.
  const working = worker.run();
  const url = await listen(app, settings);
  log.info({ event: 'listening', url }, 'the API listens');
  return { close: () => close({ app, records, worker, working, nodes, connection }) };
}

/** Streams end and requests finish first; what they use is closed after them. */
async function close(open: {
  app: FastifyInstance;
  records: OpenTaskRecords;
  worker: { shutdown(): void; getState(): string };
  working: Promise<void>;
  nodes: OpenNodeLink;
  connection: { close(): Promise<void> };
}): Promise<void> {
  await open.app.close();
  open.records.close();
  if (open.worker.getState() === 'RUNNING') open.worker.shutdown();
  await open.working;
  await open.nodes.close();
  await open.connection.close();
}

/** @throws StartError when nobody could call, or anybody could guess (B-AUTH-002, B-AUTH-003) */
function requireKeys({ DROVER_API_KEYS: keys, DROVER_API_HOST: host }: Settings): void {
  if (keys.length === 0) {
    throw new StartError(
      'DROVER_API_KEYS is not set: every route needs a key. Make one with: openssl rand -hex 24',
    );
  }
  if (!isLoopback(host) && keys.some((key) => key.length < SHORTEST_PUBLIC_KEY)) {
    throw new StartError(
      `DROVER_API_KEYS has a key shorter than ${SHORTEST_PUBLIC_KEY} characters, and DROVER_API_HOST (${host}) is reachable from other machines. ` +
        'Make a longer one with: openssl rand -hex 24',
    );
  }
}

function requireNodeToken({ DROVER_NODE_TOKEN: token }: Settings): string {
  if (token !== undefined) return token;
  throw new StartError('DROVER_NODE_TOKEN is not set: API and nodes share it, 16 characters or more.');
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
