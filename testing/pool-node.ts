/** A node for tests of pool activities: real folders, real processes, the real registry of pools. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import type { ActivityFunction } from '@temporalio/common';
import type { NodeActivityDeps, RunKeeper } from '../activities/deps.js';
import { adapterFor } from '../activities/engine/adapters/engine-adapter.js';
import { createEngineRoom, type EngineRoom } from '../activities/engine/engine-room.js';
import { modelFolder } from '../activities/model/model-folder.js';
import { createNodeActivities, type NodeActivities } from '../activities/index.js';
import { freeMemoryBytes } from '../activities/process/free-memory.js';
import { ioPressurePercent } from '../activities/process/io-pressure.js';
import { oomKills } from '../activities/process/oom-kills.js';
import { endLeftEngine, findLeftEngines } from '../activities/process/adopt.js';
import { preparedEngine, type PreparedEngine } from '../contracts/pool.js';
import { noAudit } from '../security/audit/audit-log.js';
import { PoolRegistry } from '../workers/node/pool-registry.js';
import { builtFakeEngine } from './built-fake-engine.js';
import { freePort } from './free-port.js';
import { quietMetrics, quietModelMetrics } from './quiet-metrics.js';
import { workerRoll } from './quiet-workers.js';

/** A log line as it was written. */
export type LoggedLine = Readonly<Record<string, unknown>>;

/** A node of a test, and the ways in. */
export interface PoolNode {
  deps: NodeActivityDeps;
  /** Where the exits of its engines are remembered. */
  room: EngineRoom;
  pools: PoolRegistry;
  logged: readonly LoggedLine[];
  /** Runs one activity as one try of a workflow's step; `attempt`, the workflow's run and `more` arguments can be chosen. */
  run<K extends keyof NodeActivities>(
    name: K,
    input: Parameters<NodeActivities[K]>[0],
    info?: { attempt?: number; runId?: string; scheduledAtMs?: number; more?: readonly unknown[] },
  ): ReturnType<NodeActivities[K]>;
  /** A worker that knows nothing of what this one did, on the same folders. */
  restarted(): PoolNode;
  /** The launch of a fake engine on a free port, on the CPU. */
  prepared(flags?: readonly string[], changes?: Partial<PreparedEngine>): Promise<PreparedEngine>;
  /** A file's text below the node's folder. */
  read(path: string): Promise<string>;
}

/** Makes a node that is gone, engines included, when the test ends. */
export async function poolNode(t: TestContext, changes: Partial<NodeActivityDeps> = {}): Promise<PoolNode> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-pool-node-'));
  const paths = { runtimeDir: join(folder, 'state', 'node'), handoffDir: join(folder, 'state', 'engines') };
  const node = nodeIn(folder, { paths, ...changes });
  const awake = setInterval(() => undefined, 1_000); // Engines are detached: waiting for one keeps no event loop.
  t.after(async () => {
    clearInterval(awake);
    const left = await findLeftEngines(paths.runtimeDir).catch(() => []);
    await Promise.all(
      left.map((engine) =>
        endLeftEngine(engine, { paths, stopGraceMs: 0, audit: noAudit, nodeId: 'node-1' }, 'test over'),
      ),
    );
    await rm(folder, { recursive: true, force: true });
  });
  return node;
}

function nodeIn(
  folder: string,
  changes: Partial<NodeActivityDeps> & Pick<NodeActivityDeps, 'paths'>,
): PoolNode {
  const pools = new PoolRegistry(16, adapterFor, { dispatch: () => undefined }, Date.now);
  const logged: LoggedLine[] = [];
  const deps: NodeActivityDeps = {
    nodeId: 'node-1',
    pools,
    workers: workerRoll(),
    runs: noRuns(),
    metrics: quietMetrics,
    log: pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line) as LoggedLine) }),
    audit: noAudit,
    models: modelsIn(folder),
    engines: { dir: join(folder, 'engine-cache'), mayInstall: false },
    stopGraceMs: 5_000,
    engineUser: null,
    parallelPreloads: 4,
    maxLoadedPools: null,
    adapterOf: adapterFor,
    backends: ['cuda', 'cpu', 'metal', 'vulkan'],
    ramFactor: 1.5,
    gpuMaxCelsius: 80,
    enginePorts: { first: 8_001, last: 65_535 },
    machine: { freeMemoryBytes, oomKills, ioPressurePercent },
    env: () => process.env,
    now: Date.now,
    closing: new AbortController().signal,
    ...changes,
  };
  const room = createEngineRoom();
  const activities = createNodeActivities(deps, room);
  return {
    deps,
    room,
    pools,
    logged,
    run(name, input, { attempt = 1, runId = 'run-1', scheduledAtMs = Date.now(), more = [] } = {}) {
      const environment = new MockActivityEnvironment(
        {
          attempt,
          scheduledTimestampMs: scheduledAtMs,
          // Engines are found by what is made from it: other processes run tests, too.
          workflowExecution: { workflowId: `pool:p-${process.pid}:preload`, runId },
        },
        { logger: new DefaultLogger('ERROR', () => undefined) },
      );
      const activity: ActivityFunction = activities[name];
      return environment.run(activity, input, ...more) as ReturnType<NodeActivities[typeof name]>;
    },
    restarted: () => nodeIn(folder, changes),
    prepared: (flags = [], launch = {}) => prepareFake(folder, flags, launch),
    read: (path) => readFile(join(folder, path), 'utf8'),
  };
}

/** Models below the node's folder, which are fetched as fast as they come; what is silent for a second is stalled. */
function modelsIn(folder: string): NodeActivityDeps['models'] {
  const provenanceFile = join(folder, 'state', 'models', 'provenance.jsonl');
  return {
    folder: modelFolder({ cacheDir: join(folder, 'models'), provenanceFile, nodeId: 'node-1' }),
    metrics: quietModelMetrics,
    allowedSources: null,
    hfEndpoint: 'http://127.0.0.1:1',
    hfToken: undefined,
    s3: { endpoint: undefined, region: undefined },
    stallMs: 1_000,
    bytesPerSecond: null,
  };
}

async function prepareFake(
  folder: string,
  flags: readonly string[],
  changes: Partial<PreparedEngine>,
): Promise<PreparedEngine> {
  const port = await freePort();
  const model_path = join(folder, 'model.gguf');
  await writeFile(model_path, 'GGUF and then nothing');
  return preparedEngine.parse({
    pool_id: 'gpu-0',
    engine_version: 'fake-1',
    binary_path: await builtFakeEngine(),
    flags: ['--model', model_path, '--port', String(port), ...flags],
    port,
    model_path,
    model_ref: 'demo',
    backend: 'cpu',
    slots_total: 2,
    ctx_max: 1_024,
    ...changes,
  });
}

/** Pool activities have nothing to do with runs. */
function noRuns(): RunKeeper {
  const refuse = () => Promise.reject(new Error('no run was expected'));
  return {
    attach: refuse,
    waitForEnd: refuse,
    cancel: refuse,
    reset: refuse,
    breakOff: refuse,
    view: () => undefined,
  };
}
