/** The stack's processes: what each runs, with what environment, and how it says that it is up. */
import { connect } from 'node:net';
import type { PreparedEngine } from '../contracts/pool.js';
import type { Addresses } from './addresses.js';
import type { Configuration } from './configuration.js';
import { PACKAGE_ROOT, PROGRAMS, type Places } from './places.js';
import { hasEvent } from './process-log.js';
import type { Secrets } from './secrets.js';
import type { ProcessPlan } from './supervised-process.js';
import { temporalTrouble } from './temporal-admin.js';
import { TEMPORAL_HOST, temporalServerArgs } from './temporal-server.js';

/** A loaded machine may need ten seconds for what takes one. */
const UP_LIMIT_MS = 60_000;

/** All that the plans are made of. */
export interface PlanContext {
  configuration: Configuration;
  places: Places;
  secrets: Secrets;
  addresses: Addresses;
  /** What engines run on here. */
  backend: PreparedEngine['backend'];
}

/** The Temporal server, where it is ours to run. */
export function temporalPlan(context: PlanContext, program: string): ProcessPlan | undefined {
  const { addresses, places, secrets, configuration } = context;
  const namespace = configuration.settings.TEMPORAL_NAMESPACE;
  if (addresses.temporalPorts === undefined) return undefined;
  const { port } = addresses.temporalPorts;
  return {
    name: 'temporal',
    command: program,
    args: temporalServerArgs({
      ...addresses.temporalPorts,
      namespace,
      dataDir: places.temporalDir,
      codecEndpoint: `${addresses.urls.api}/codec/${secrets.codecSecret}`,
    }),
    env: without([...NOT_SHARED, 'DROVER_PAYLOAD_KEYS'], configuration.env),
    cwd: places.stateDir,
    logFile: places.logFile('temporal'),
    upLimitMs: UP_LIMIT_MS,
    isUp: async () =>
      (await listens(port)) &&
      (await temporalTrouble({ address: addresses.urls.temporal, namespace })) === undefined,
    endsWithUs: false,
  };
}

/** Our own processes; each ends with us by itself. */
export function ownPlans(context: PlanContext): ProcessPlan[] {
  const { places } = context;
  const env = environments(context);
  const plan = (name: 'api' | 'control' | 'node', event: string): ProcessPlan => ({
    name,
    command: process.execPath,
    args: ['--enable-source-maps', PROGRAMS[name]],
    env: env[name],
    cwd: PACKAGE_ROOT,
    logFile: places.logFile(name),
    upLimitMs: UP_LIMIT_MS,
    isUp: (log) => hasEvent(log, [event]),
    endsWithUs: true,
  });
  return [plan('node', 'listening'), plan('control', 'polling'), plan('api', 'listening')];
}

/** What one process needs and the others must not have, an engine's program beside them least of all (B-SECR-009). */
function environments(context: PlanContext): Record<'api' | 'control' | 'node', Record<string, string>> {
  const { configuration, secrets, addresses } = context;
  const { settings } = configuration;
  const shared = sharedEnvironment(context);
  const token = { DROVER_NODE_TOKEN: secrets.nodeToken };
  const url = settings.DATABASE_URL;
  const database: Record<string, string> = url === undefined ? {} : { DATABASE_URL: url };
  const ui = addresses.urls.temporal_ui;
  return {
    api: {
      ...shared,
      ...token,
      ...database,
      ...(settings.DROVER_CONFIG === undefined ? {} : { DROVER_CONFIG: settings.DROVER_CONFIG }),
      DROVER_MODELS_ON_DEMAND: context.configuration.env['DROVER_MODELS_ON_DEMAND'] ?? context.backend,
      DROVER_API_KEYS: secrets.apiKeys,
      DROVER_CODEC_SECRET: secrets.codecSecret,
      ...(ui === null ? {} : { DROVER_UI_ORIGIN: settings.DROVER_UI_ORIGIN ?? ui }),
    },
    // It gives the token to the nodes that it installs.
    control: { ...shared, ...token, ...database },
    node: {
      ...shared,
      ...token,
      ...only(NODE_SECRETS, configuration.env),
    },
  };
}

/** Secrets of those whom the node speaks to. */
const NODE_SECRETS = ['HF_TOKEN', 'DROVER_NODE_ENGINE_KEYS'];

/** Secrets that not every process needs. */
const NOT_SHARED = [
  // The configuration file may hold all of them.
  ...['DROVER_CONFIG', 'DROVER_API_KEYS', 'DROVER_CODEC_SECRET', 'DATABASE_URL'],
  ...['DROVER_NODE_TOKEN', 'AUTH_TOKEN', 'LLORCH_API_TOKEN', ...NODE_SECRETS],
];

function sharedEnvironment({ configuration, secrets, addresses }: PlanContext): Record<string, string> {
  const { env, settings } = configuration;
  const ourNode = `${settings.DROVER_NODE_ID}=http://${addresses.nodeAddress}`;
  const others = settings.DROVER_NODES.filter(({ id }) => id !== settings.DROVER_NODE_ID);
  return {
    ...without(NOT_SHARED, env),
    DROVER_STATE_DIR: settings.DROVER_STATE_DIR,
    DROVER_API_PORT: String(addresses.apiPort),
    DROVER_NODE_ADDR: addresses.nodeAddress,
    DROVER_NODES: [ourNode, ...others.map(({ id, url }) => `${id}=${url}`)].join(','),
    DROVER_PAYLOAD_KEYS: secrets.payloadKeys,
    TEMPORAL_ADDRESS: addresses.urls.temporal,
    ...ownApi(settings, addresses),
    DROVER_EXIT_WITH_PARENT: 'true',
  };
}

/** Where our node reports. A certificate of the operator's own is known by other names than loopback. */
function ownApi(
  { DROVER_API_URL, DROVER_TLS_CERT }: Configuration['settings'],
  { urls }: Addresses,
): Record<string, string> {
  if (DROVER_API_URL !== undefined) return { DROVER_API_URL };
  return DROVER_TLS_CERT === undefined ? { DROVER_API_URL: urls.api } : {};
}

function only(names: readonly string[], env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => names.includes(name)));
}

function without(names: readonly string[], env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}

/** A look before gRPC's first try, whose next would come a second later. */
function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: TEMPORAL_HOST, port });
    const answer = (result: boolean) => {
      socket.destroy();
      done(result);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
