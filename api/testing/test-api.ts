/** The API with its clients in memory: what tests speak to, and what it wrote to its log. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import type { PayloadCodec } from '@temporalio/common';
import { readSettings } from '../../contracts/settings.js';
import { createArtifacts, type Artifacts } from '../../store/artifacts.js';
import { createKeys } from '../../store/keys.js';
import { createSessions } from '../../store/sessions.js';
import { createModels } from '../../store/models.js';
import { createNodeWorkers, type NodeWorkers } from '../../store/node-workers.js';
import { createNodes, type Nodes } from '../../store/nodes.js';
import { openStore, type Store } from '../../store/open-store.js';
import { newPayloadKey, parsePayloadKeys } from '../../security/payload-keys.js';
import type { AuditEvent } from '../../security/audit/audit-chain.js';
import { readTlsFiles } from '../../security/tls-files.js';
import { api, createServer } from '../app.js';
import { createKnownKeys } from '../keys/known-keys.js';
import { createNodeDirectory, type NodeDirectory } from '../nodes/node-directory.js';
import { createSessionBook, sessionLimits, type SessionBook } from '../sessions/session-book.js';
import { MemoryInstalls } from './memory-installs.js';
import { MemoryNodes } from './memory-nodes.js';
import { MemoryRecords } from './memory-records.js';
import { MemoryVisits } from './memory-visits.js';

/** A key that the API under test accepts. */
export const KEY = 'key-of-the-tests';

/** Token of its nodes and workers. */
export const NODE_TOKEN = 'token-of-the-nodes';

/** Tests send more invalid requests a second than anybody else. */
const UNHURRIED = { DROVER_INVALID_REQUEST_LIMIT: '1000000' };

/** One line of the log. */
export type LogLine = Record<string, unknown>;

/** A running API of a test. */
export interface TestApi {
  app: FastifyInstance;
  nodes: MemoryNodes;
  records: MemoryRecords;
  /** A database in memory, unless the test brought one. */
  store: Store;
  artifacts: Artifacts;
  sessionBook: SessionBook;
  /** The registry of nodes, and what visits of them come to. */
  registered: Nodes;
  visits: MemoryVisits;
  /** Nodes that report. */
  nodeWorkers: NodeWorkers;
  installs: MemoryInstalls;
  directory: NodeDirectory;
  log: LogLine[];
  /** What the audit log was told. */
  audited: AuditEvent[];
  /** Sends a request with the key; without one where `headers` bring another credential or `x-api-key: ''`. */
  ask: (
    method: 'GET' | 'POST' | 'PATCH' | 'OPTIONS' | 'DELETE' | 'HEAD',
    url: string,
    options?: Pick<InjectOptions, 'headers' | 'payload' | 'remoteAddress'>,
  ) => Promise<LightMyRequestResponse>;
  close: () => Promise<void>;
}

/** What a test may set. */
export interface TestApiOptions {
  env?: Record<string, string>;
  nodes?: MemoryNodes;
  records?: MemoryRecords;
  codec?: PayloadCodec;
  now?: () => number;
  store?: Store;
  /** Adds routes of the test's own before the API is ready. */
  extend?: (app: FastifyInstance) => void;
}

const untouched: PayloadCodec = {
  encode: (payloads) => Promise.resolve(payloads),
  decode: (payloads) => Promise.resolve(payloads),
};

/** Keys of this test run, so that APIs may share a database. */
const ring = parsePayloadKeys(newPayloadKey());

/** Starts an API. */
export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const {
    nodes = new MemoryNodes(),
    records = new MemoryRecords(),
    now = Date.now,
    codec = untouched,
  } = options;
  const log: LogLine[] = [];
  const write = (line: string) => void log.push(JSON.parse(line) as LogLine);
  const logger = pino({ level: 'debug', formatters: { level: (level) => ({ level }) } }, { write });
  const settings = readSettings({ ...UNHURRIED, DROVER_API_KEYS: KEY, ...options.env });
  const app = createServer(settings, logger, readTlsFiles(settings));
  const { store = await openStore({ folder: ':memory:' }) } = options;
  const artifacts = createArtifacts({ db: store.db, seal: ring, now });
  const models = createModels({ db: store.db, now });
  const keys = createKeys({ db: store.db, now });
  const known = createKnownKeys({ keys, bootstrap: settings.DROVER_API_KEYS, log: logger, now });
  const sessions = createSessions({ db: store.db, now, ttlMs: settings.DROVER_SESSION_TTL_MS });
  const sessionBook = createSessionBook({ sessions, limits: sessionLimits(settings), log: logger, now });
  const audited: AuditEvent[] = [];
  const audit = { record: (event: AuditEvent) => Promise.resolve(void audited.push(event)) };
  const registered = createNodes({ db: store.db, now });
  const visits = new MemoryVisits(registered);
  const nodeWorkers = createNodeWorkers({ db: store.db, now });
  const directory = createNodeDirectory({ nodeWorkers, log: logger, now });
  const installs = new MemoryInstalls();
  const clients = {
    installs,
    nodeWorkers,
    directory,
    records,
    nodes,
    registered,
    visits,
    codec,
    artifacts,
    models,
    backup: store.backup,
    keys,
    sessionBook,
    known,
    audit,
  };
  await app.register(api, { settings, ...clients, nodeToken: () => NODE_TOKEN, now, version: '9.9.9' });
  options.extend?.(app);
  await app.ready();
  return {
    app,
    nodes,
    records,
    store,
    artifacts,
    sessionBook,
    registered,
    visits,
    nodeWorkers,
    installs,
    directory,
    log,
    audited,
    ask: (method, url, { headers, ...rest } = {}) =>
      app.inject({ method, url, headers: { 'x-api-key': KEY, ...headers }, ...rest }),
    close: async () => {
      await app.close();
      if (options.store === undefined) await store.close();
    },
  };
}

/** A body that `POST /v2/tasks` accepts. */
export function taskBody(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    task_id: 't-1',
    session_id: 's-1',
    workload: 'completion',
    model_ref: 'demo',
    engine: 'llamacpp',
    ctx: 0,
    priority: 'interactive',
    max_tokens: 8,
    deadline_ms: 60_000,
    prompt: 'Once upon a time',
    ...over,
  };
}
