/**
 * One installation of Drover as an operator would run it: a node worker, a control worker, one or more APIs, all real
 * processes in a Temporal namespace of their own, with a state folder, keys and ports of their own.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { preloadResult, type PreloadResult, type PreparedEngine } from '../../contracts/pool.js';
import { eventually } from '../../testing/changes.js';
import { fakeGpusIn, type FakeGpu, type FakeGpus } from '../../testing/fake-gpus.js';
import { freePort } from '../../testing/free-port.js';
import { isAlive, killGroup, processNames } from '../../testing/processes.js';
import { ModelServer } from '../../testing/model-server.js';
import { Program } from '../../testing/program.js';
import { S3Server } from '../../testing/s3-server.js';
import { ApiClient } from './api-client.js';
import { POOL, PRELOAD_WAIT_MS, prepareEngine, prepareFakeEngine, type EngineName } from './engines.js';
import type { ModelName, Models } from './models.js';
import { FarNode } from './far-node.js';
import { gatewayOn, makeNodeHost, type NodeHost } from './node-host.js';
import { PROGRAMS, type RunFolders } from './places.js';
import { PoolView } from './pool-view.js';
import { StackDatabase } from './stack-database.js';
import { startTemporalServer, type TemporalServer } from './temporal-server.js';

/** What a scenario needs of its stack; what it leaves out is as in the shared one. */
export interface StackWish {
  /** Tasks that the engine runs at once; default 4. */
  slots?: number;
  /** Waiting tasks before the queue is full; default: the product's own. */
  capacity?: number;
  /** What a full queue does; default: the product's own. */
  policy?: 'drop-lru';
  /** How long readers may be away; default: the product's own. */
  disconnectGraceMs?: number;
  /** Context of one slot; default 4096 tokens, the model's. */
  ctx?: number;
  /** True: the model's template knows tools; default: the demo model's own, which does not. */
  tools?: boolean;
  /** Default `demo`. */
  model?: ModelName;
  /** False: the pool `default` stays unloaded. */
  preload?: boolean;
  /** What the node worker does with its engines at its end; default: the product's own, it stops them. */
  onExit?: 'leave';
  /** Pools that belong to the node, comma-separated; default: none. */
  nodePools?: string;
  /** Pools that may be loaded when one on demand wakes; default: the product's own. */
  maxLoadedPools?: number;
  /** What models of the catalogue are loaded on for those who ask; default: the product's own, they are not. */
  modelsOnDemand?: 'cpu';
  /** How engines are started again after crashes; default: the product's own. */
  supervision?: Readonly<Record<string, number>>;
  /** How often the node asks its engines for their health; default: the product's own. */
  healthIntervalMs?: number;
  /** Free space below which the node takes no new task; default: the product's own. */
  diskReserveBytes?: number;
  /** The node's GPUs; default: those of the machine. */
  gpus?: readonly FakeGpu[];
  /** True: a Temporal server of its own, which the scenario may stop. */
  ownTemporal?: boolean;
  /** True: the node is on a host of its own, whose cables may be cut. */
  nodeOnHost?: boolean;
  /** A second node, with a larger pool: on a host of its own, or on this machine. Default: none. */
  farNode?: 'host' | 'machine';
  /** True: a PostgreSQL of its own, which the scenario may stop; default: SQLite in the state folder. */
  postgres?: boolean;
  /** True: artifacts in a bucket of an S3 server of its own, which the scenario may stop; default: in the database. */
  bucket?: boolean;
  /** True: `hf:` models come from a server of its own; default: nobody fetches any. */
  hub?: boolean;
}

/** What every stack of a run shares. */
export interface RunParts {
  folders: RunFolders;
  temporal: TemporalServer;
  /** Program of the Temporal server. */
  temporalPath: string;
  models: Models;
  engine: EngineName;
  xllamacpp: string | undefined;
}

/** Short waits, so that a scenario sees in a second what takes an operator a minute. */
const SHORT_WAITS = {
  DROVER_OFFER_TTL_MS: '3000',
  DROVER_METRICS_FRAME_MS: '100',
  DROVER_SSE_HEARTBEAT_MS: '200',
  DROVER_NODE_STOP_GRACE_MS: '1000',
  DROVER_NODE_GPU_DISCOVERY_INTERVAL_MS: '200',
  DROVER_HANDOFF_WATCH_INTERVAL_MS: '200',
  DROVER_SESSION_TURN_LIMIT: '8',
  // Two busy cores: an idle machine records a task in 10 ms.
  DROVER_START_TIMEOUT_MS: '5000',
};

/** What nodes show to the server of their models. */
export const HUB_TOKEN = 'hf_of-the-features';

/** Before each artifact's name in its bucket. */
export const ARTIFACT_PREFIX = 'drover/artifacts';

/** Where pools are preloaded. */
export const PRELOAD_PATH = `/v2/pools/${POOL}/preload`;

/** A running installation. */
export class Stack {
  /** The key that its API accepts. */
  readonly key = `key-${randomBytes(12).toString('hex')}`;
  /** Unguessable part of the codec endpoint's path. */
  readonly codecSecret = randomBytes(16).toString('hex');
  readonly stateDir: string;
  /** Folder of the catalogue's models. */
  readonly modelCache: string;
  /** Host keys that its control worker knows; nobody's, unless a scenario says otherwise. */
  readonly knownHosts: string;
  /** The pool `default` as somebody on the machine finds it. */
  readonly pool = new PoolView(this);
  readonly nodeId: string;
  node: Program | undefined;
  control: Program | undefined;
  /** The API that scenarios speak to: the newest. */
  api: ApiProcess | undefined;
  nodeUrl = '';
  private farNode: FarNode | undefined;
  /** Where the node is, if not on this machine; and how it reaches Temporal from there. */
  host: NodeHost | undefined;
  private readonly hostEnv: Record<string, string> = {};
  /** Pid of the first engine. */
  firstEnginePid: number | undefined;
  /** Pid of the engine that was killed last. */
  killedPid = 0;
  temporal: TemporalServer;
  private gpus: FakeGpus | undefined;
  /** What the last preload was asked for, and what it answered. */
  prepared: PreparedEngine | undefined;
  preloaded: PreloadResult | undefined;
  private readonly payloadKeys = `test:${randomBytes(32).toString('base64')}`;
  /** Token of the node gateway. */
  readonly nodeToken = randomBytes(16).toString('hex');
  private readonly programs: Program[] = [];
  readonly database = new StackDatabase();
  private bucket: S3Server | undefined;
  private hub: ModelServer | undefined;
  private apisStarted = 0;

  constructor(
    readonly name: string,
    readonly wish: StackWish,
    readonly namespace: string,
    private readonly parts: RunParts,
  ) {
    this.stateDir = join(parts.folders.work, name);
    this.modelCache = join(this.stateDir, 'model-cache');
    this.knownHosts = join(this.stateDir, 'known_hosts');
    this.nodeId = `node-${name}`;
    this.temporal = parts.temporal;
  }

  /** Starts all of it and preloads the pool, unless the wish says otherwise. */
  async start(): Promise<void> {
    await mkdir(this.stateDir, { recursive: true });
    if (this.wish.ownTemporal === true) await this.startTemporal();
    if (this.wish.postgres === true) await this.database.usePostgres();
    if (this.wish.bucket === true) this.bucket = await S3Server.start(join(this.stateDir, 's3'));
    if (this.wish.hub === true) this.hub = await ModelServer.start();
    if (this.wish.nodeOnHost === true) await this.makeHost();
    else this.nodeUrl = `http://127.0.0.1:${await freePort()}`;
    if (this.wish.farNode !== undefined) this.farNode = await FarNode.make(this, this.wish.farNode);
    await Promise.all([this.startNode(), this.farNode?.start(), this.startApi(), this.startControl()]);
    if (this.wish.preload !== false) await this.preload();
    await this.farNode?.preload();
  }

  private async makeHost(): Promise<void> {
    this.host = await makeNodeHost();
    this.hostEnv['TEMPORAL_ADDRESS'] = await this.host.wayTo(this.temporal.address, 'Temporal');
    this.nodeUrl = gatewayOn(this.host);
  }

  private async startTemporal(): Promise<void> {
    const { temporalPath, folders } = this.parts;
    this.temporal = await startTemporalServer(temporalPath, folders, `${this.name}-temporal`, [
      this.namespace,
    ]);
  }

  /** Starts the node worker; a second one takes the place of one that has died, at the same address. */
  async startNode(): Promise<void> {
    if (this.wish.gpus !== undefined)
      this.gpus ??= await fakeGpusIn(join(this.stateDir, 'gpu-tools'), this.wish.gpus);
    const PATH = [this.gpus?.PATH, process.env['PATH']]
      .filter((entry) => entry !== undefined)
      .join(delimiter);
    const env = { DROVER_NODE_ADDR: new URL(this.nodeUrl).host, PATH, ...this.hostEnv };
    const node = this.program('node', PROGRAMS.node, env, this.host);
    this.node = node;
    await node.waitForLog('the event "listening"', ({ event }) => event === 'listening');
  }

  /** Starts another API, which scenarios speak to from now on. */
  async startApi(env: Record<string, string> = {}): Promise<ApiProcess> {
    this.apisStarted += 1;
    const name = this.apisStarted === 1 ? 'api' : `api-${this.apisStarted}`;
    const program = this.apiProgram(env, name);
    const { url } = await program.waitForLog('the event "listening"', ({ event }) => event === 'listening');
    this.api = { program, client: new ApiClient(String(url), this.key) };
    return this.api;
  }

  /** Starts an API process and waits for nothing. */
  apiProgram(env: Record<string, string> = {}, name = 'api-aside'): Program {
    return this.program(name, PROGRAMS.api, { DROVER_API_PORT: '0', ...env });
  }

  async startControl(): Promise<void> {
    this.control = this.program('control', PROGRAMS.control, {});
    await this.control.waitForLog('the event "polling"', ({ event }) => event === 'polling');
  }

  /** Loads the pool `default` as any operator would, and waits until the API calls it ready. */
  async preload(headers: Record<string, string> = {}): Promise<void> {
    const { client } = this.mustApi();
    this.prepared = await this.prepareEngine();
    const body = { prepared: this.prepared, wait_ms: PRELOAD_WAIT_MS };
    const answer = await client.request('POST', PRELOAD_PATH, { body, headers });
    if (answer.status !== 200) throw new Error(`preload of ${this.name}: ${answer.status} ${answer.text}`);
    this.preloaded = preloadResult.parse(answer.json);
    await eventually(
      () => `the API of ${this.name} to be ready`,
      async () => ((await client.request('GET', '/readyz', { key: null })).status === 200 ? true : undefined),
    );
    this.firstEnginePid ??= this.preloaded.pid ?? undefined;
  }

  /** Launch description of an engine with bad manners. */
  async prepareFakeEngine(flags: readonly string[]): Promise<PreparedEngine> {
    return prepareFakeEngine(await this.parts.models.path('demo'), flags);
  }

  /** Launch description of this stack's engine. */
  async prepareEngine(model: ModelName = this.wish.model ?? 'demo'): Promise<PreparedEngine> {
    const { slots = 4, ctx = 4096, tools } = this.wish;
    const { engine, xllamacpp, models } = this.parts;
    return prepareEngine({
      engine,
      xllamacpp,
      modelPath: await models.path(model),
      slots,
      ctx,
      ...(tools === undefined ? {} : { tools }),
    });
  }

  /** Version of the engine that the pool reports. */
  get engineVersion(): string {
    return `${this.parts.engine}-test`;
  }

  /** The API that scenarios speak to. @throws Error when none was started */
  mustApi(): ApiProcess {
    if (this.api === undefined) throw new Error(`${this.name} has no API`);
    return this.api;
  }

  /** The node worker. @throws Error when none was started */
  mustNode(): Program {
    if (this.node === undefined) throw new Error(`${this.name} has no node worker`);
    return this.node;
  }

  /** The control worker. @throws Error when none was started */
  mustControl(): Program {
    if (this.control === undefined) throw new Error(`${this.name} has no control worker`);
    return this.control;
  }

  /** The node on a host of its own. @throws Error when the scenario asked for none */
  mustFarNode(): FarNode {
    if (this.farNode === undefined) throw new Error(`${this.name} has one node`);
    return this.farNode;
  }

  /** The S3 server of its artifacts. @throws Error when the scenario asked for none */
  mustBucket(): S3Server {
    if (this.bucket === undefined) throw new Error(`${this.name} keeps its artifacts in the database`);
    return this.bucket;
  }

  /** The server of its models. @throws Error when the scenario asked for none */
  mustHub(): ModelServer {
    if (this.hub === undefined) throw new Error(`${this.name} fetches no models`);
    return this.hub;
  }

  /** The GPUs that the scenario asked for. @throws Error when it asked for none */
  mustGpus(): FakeGpus {
    if (this.gpus === undefined) throw new Error(`${this.name} has the GPUs of the machine`);
    return this.gpus;
  }

  /** What the node gateway answers to a GET with its token. */
  async askNode(path: string): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.nodeToken}` };
    return (await fetch(`${this.nodeUrl}${path}`, { headers })).json();
  }

  /** Ends the engine as a crash would; the node worker is not told. */
  async killEngine(): Promise<void> {
    this.killedPid = await this.pool.pid();
    killGroup(this.killedPid);
  }

  /** Makes the engine stand still; the answer lets it go on, if it is there still. */
  async holdEngine(): Promise<() => void> {
    const pid = await this.pool.pid();
    this.killedPid = pid;
    process.kill(pid, 'SIGSTOP');
    return () => {
      if (isAlive(pid)) process.kill(pid, 'SIGCONT');
    };
  }

  /** Processes that ended though nobody had asked for it. */
  get crashed(): Program[] {
    return this.programs.filter((program) => program.crashed);
  }

  /** Every node, as the API is told of them. */
  private get nodes(): string {
    const near = `${this.nodeId}=${this.nodeUrl}`;
    return this.farNode === undefined ? near : `${near},${this.farNode.id}=${this.farNode.url}`;
  }

  /** The environment of a process of this stack; `extra` wins. */
  environment(extra: Record<string, string> = {}): Record<string, string> {
    const {
      capacity,
      policy,
      disconnectGraceMs,
      onExit,
      nodePools,
      supervision,
      diskReserveBytes,
      healthIntervalMs,
      maxLoadedPools,
      modelsOnDemand,
    } = this.wish;
    return {
      ...SHORT_WAITS,
      TEMPORAL_ADDRESS: this.temporal.address,
      TEMPORAL_NAMESPACE: this.namespace,
      DROVER_STATE_DIR: this.stateDir,
      DROVER_MODEL_CACHE_DIR: this.modelCache,
      DROVER_NODE_ENGINE_CACHE_DIR: join(this.stateDir, 'engine-cache'),
      DROVER_SSH_KNOWN_HOSTS: this.knownHosts,
      DROVER_API_KEYS: this.key,
      DROVER_NODE_ID: this.nodeId,
      DROVER_NODE_TOKEN: this.nodeToken,
      DROVER_NODES: this.nodes,
      DROVER_PAYLOAD_KEYS: this.payloadKeys,
      DROVER_CODEC_SECRET: this.codecSecret,
      DROVER_EXIT_WITH_PARENT: 'true',
      ...(nodePools === undefined ? {} : { DROVER_NODE_POOLS: nodePools }),
      ...(supervision === undefined ? {} : { DROVER_SUPERVISION: JSON.stringify(supervision) }),
      ...(healthIntervalMs === undefined ? {} : { DROVER_NODE_HEALTH_INTERVAL_MS: String(healthIntervalMs) }),
      ...(maxLoadedPools === undefined ? {} : { DROVER_NODE_MAX_LOADED_POOLS: String(maxLoadedPools) }),
      ...(modelsOnDemand === undefined ? {} : { DROVER_MODELS_ON_DEMAND: modelsOnDemand }),
      ...(diskReserveBytes === undefined ? {} : { DROVER_NODE_DISK_RESERVE_BYTES: String(diskReserveBytes) }),
      ...this.database.env,
      ...this.bucket?.settings(ARTIFACT_PREFIX),
      ...(this.hub === undefined ? {} : { HF_ENDPOINT: this.hub.url, HF_TOKEN: HUB_TOKEN }),
      ...(onExit === undefined ? {} : { DROVER_NODE_ON_EXIT: onExit }),
      ...(capacity === undefined ? {} : { DROVER_ADMISSION_CAPACITY: String(capacity) }),
      ...(policy === undefined ? {} : { DROVER_ADMISSION_POLICY: policy }),
      ...(disconnectGraceMs === undefined ? {} : { DROVER_DISCONNECT_GRACE_MS: String(disconnectGraceMs) }),
      ...extra,
    };
  }

  /** Starts a process of ours, on another host where one is given; its log is kept under its name. */
  program(
    process_: string,
    path: string,
    env: Record<string, string>,
    host?: Pick<NodeHost, 'command'>,
  ): Program {
    const args = ['--enable-source-maps', path];
    const program = new Program({
      name: `${process_} of ${this.name}`,
      ...(host?.command(process.execPath, args) ?? { command: process.execPath, args }),
      env: this.environment(env),
      logFile: join(this.parts.folders.logs, `${this.name}-${process_}.log`),
    });
    this.programs.push(program);
    return program;
  }

  /** Ends every process, the engine too; the node worker does that, and what it could not end is killed. */
  async stop(): Promise<void> {
    const engine = (await this.pool.pid().catch(() => undefined)) ?? this.firstEnginePid;
    await Promise.all(this.programs.map((program) => program.stop()));
    if (engine !== undefined && (await processNames(engine, this.parts.folders.work))) killGroup(engine);
    await this.farNode?.remove();
    await this.host?.remove();
    await this.database.stop();
    await this.bucket?.stop();
    await this.hub?.close();
    if (this.temporal !== this.parts.temporal) await this.temporal.stop();
    const log = this.pool.file(`engine-${POOL}.log`);
    await copyFile(log, join(this.parts.folders.logs, `${this.name}-engine.log`)).catch(() => undefined);
  }
}

/** An API process and the client that speaks to it. */
export interface ApiProcess {
  program: Program;
  client: ApiClient;
}
