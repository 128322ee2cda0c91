/** The node worker: one a GPU node. It owns engines, slots, queues and run logs, and serves the node gateway. */
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeConnection } from '@temporalio/worker';
import { Worker } from '@temporalio/worker';
import { createNodeActivities } from '../../activities/index.js';
import type { NodeActivityDeps } from '../../activities/deps.js';
import { findGpuTools, queryDevices } from '../../activities/engine/gpu-tools.js';
import { createEngineRoom, type EngineRoom } from '../../activities/engine/engine-room.js';
import { freeMemoryBytes } from '../../activities/process/free-memory.js';
import { ioPressurePercent } from '../../activities/process/io-pressure.js';
import { oomKills } from '../../activities/process/oom-kills.js';
import { endLeftCommands } from '../../activities/provision/run-command.js';
import { poolFields } from '../../activities/pool/pool-fields.js';
import { processStartTicks } from '../../activities/process/process-identity.js';
import type { Settings } from '../../contracts/settings.js';
import { nodeModelsQueue, nodeQueue, nodeRunsQueue } from '../../domain/identity.js';
import type { Audit } from '../../security/audit/audit-log.js';
import type { Logger } from '../../telemetry/logger.js';
import { packageVersion } from '../../telemetry/package-version.js';
import { openProcessAudit } from '../process-audit.js';
import { runProcess, StartError, type RunningProcess } from '../run-process.js';
import {
  connectTemporal,
  installTemporalRuntime,
  requirePayloadKeys,
  requireSearchAttributes,
  temporalAddress,
  temporalDataConverter,
} from '../temporal.js';
import { activityCorrelation } from '../activity-correlation.js';
import { allowHosts } from './allowed-hosts.js';
import { createAnnounceEngine } from './announce-engine.js';
import { adaptersOf } from './adapters.js';
import { adoptEngines } from './adopt-engines.js';
import { bindNamedEngine } from './bind-named-engine.js';
import { boundLogs } from './bound-logs.js';
import { modelDeps } from './model-deps.js';
import { answersHealth } from './engine-health.js';
import { DownloadProgress } from './download-progress.js';
import { engineUser } from './engine-user.js';
import { buildGateway } from './gateway.js';
import { recallPools, rememberPools } from './known-pools.js';
import { learnWorkloads } from './learn-workloads.js';
import { PoolRegistry } from './pool-registry.js';
import { thisMachine } from './machine.js';
import { nodeMetrics, type NodeMetrics } from './prometheus.js';
import { recoverRuns, sweepRuns } from './recover-runs.js';
import { workerReports } from './report-workers.js';
import { reportNode } from './report-node.js';
import { RunRegister } from './runs.js';
import { endReplica, stopEngines } from './stop-engines.js';
import { tellPoolState } from './tell-pool-state.js';
import { refusesConnections, TemporalContact } from './temporal-contact.js';
import { followLoading } from './follow-loading.js';
import { gatewayUrl } from './gateway-url.js';
import { READY_CALLBACK_PATH } from './worker-routes.js';
import { WorkerRoll } from './worker-roll.js';
import { DeviceWatch } from './watch-devices.js';
import { HandoffWatch } from './watch-handoffs.js';
import { EngineWatch } from './watch-engines.js';

/** Long runs that one node follows at once; each costs a timer and a heartbeat. */
const FOLLOWED_RUNS = 2_000;
/**
 * Polls for runs that are open at once. When the network fails without a word, each of them takes one more try of a run with
 * it before Temporal knows that the node is gone.
 */
const RUN_POLLS = 2;
/** Whoever watches a download sees it move each second: the SDK would hold beats back for eight. */
const PROGRESS_INTERVAL_MS = 1_000;
/** Activities may stop an engine when they are told to end. */
const STOP_MARGIN_MS = 5_000;
/** Beyond the grace that activities have: what they said must reach Temporal. */
const WORKERS_END_MS = STOP_MARGIN_MS + 3_000;
const CONNECTION_END_MS = 2_000;
/** From the order to end until the last engine is killed (B-LIFE-008). */
const END_LIMIT_MS = 30_000;
/** Old run logs are looked for this often. */
const SWEEP_INTERVAL_MS = 60_000;

interface NodeParts {
  runs: RunRegister;
  pools: PoolRegistry;
  contact: TemporalContact;
  activities: NodeActivityDeps;
  devices: DeviceWatch;
  handoffs: HandoffWatch;
  room: EngineRoom;
  workers: WorkerRoll;
  /** Aborted when the worker begins to end. */
  closing: AbortController;
  engines: EngineWatch;
  metrics: NodeMetrics;
}

function assemble(settings: Settings, token: () => string, log: Logger, audit: Audit): NodeParts {
  const { DROVER_STATE_DIR: stateDir, DROVER_NODE_ID: nodeId } = settings;
  const metrics = nodeMetrics(
    {
      pools: () => pools.snapshot(),
      workers: () => workerReports(nodeId, pools.all()),
      memory: () => ({ total_bytes: totalmem(), available_bytes: freeMemoryBytes() }),
    },
    { latencySample: settings.DROVER_METRICS_LATENCY_SAMPLE },
  );
  const downloads = new DownloadProgress(metrics.models);
  const adapterOf = adaptersOf(settings);
  const closing = new AbortController();
  const room = createEngineRoom();
  const paths = {
    runtimeDir: join(stateDir, 'node'),
    handoffDir: settings.DROVER_RUNTIME_DIR ?? join(stateDir, 'engines'),
  };
  const stopGraceMs = settings.DROVER_NODE_STOP_GRACE_MS;
  const engines = new EngineWatch({
    ...{ paths, room, pools: () => pools, isAlive, oomKills, metrics: metrics.pools, log, now: Date.now },
    answers: answersHealth,
    end: ({ prepared, pid }) => endReplica({ paths, stopGraceMs, room, audit, nodeId }, prepared, pid),
    healthIntervalMs: settings.DROVER_NODE_HEALTH_INTERVAL_MS,
  });
  const contact: TemporalContact = new TemporalContact({
    isRefused: () => refusesConnections(temporalAddress(settings)),
    file: join(stateDir, 'temporal-contact'),
    onLost: () => runs.holdAll(),
    log,
    now: Date.now,
  });
  const runs: RunRegister = new RunRegister({
    nodeId,
    runsDir: join(stateDir, 'runs'),
    ring: requirePayloadKeys(settings),
    pools: () => pools,
    metrics: metrics.runs,
    log,
    now: Date.now,
    offerTtlMs: settings.DROVER_OFFER_TTL_MS,
    fullQueuePolicy: settings.DROVER_ADMISSION_POLICY,
    tombstoneMs: settings.DROVER_TOMBSTONE_MS,
    metricsFrameMs: settings.DROVER_METRICS_FRAME_MS,
    runLimitMs: settings.DROVER_RUN_LIMIT_MS,
    diskReserveBytes: settings.DROVER_NODE_DISK_RESERVE_BYTES,
    lookAtEngine: (poolId, replicaId) => engines.look(poolId, replicaId),
    fetched: (modelId) => downloads.of(modelId),
    inTouch: () => contact.inTouch(),
    disconnectGraceMs: settings.DROVER_DISCONNECT_GRACE_MS,
  });
  const pools: PoolRegistry = new PoolRegistry(settings.DROVER_ADMISSION_CAPACITY, adapterOf, runs, Date.now);
  const workers = new WorkerRoll({
    nodeId: settings.DROVER_NODE_ID,
    ...{ token, follow: followLoading, log, now: Date.now },
    callbackUrl: () => gatewayUrl(settings.DROVER_NODE_ADDR, READY_CALLBACK_PATH),
  });
  pools.onLoading((replica) => workers.loading(replica));
  const activities: NodeActivityDeps = {
    nodeId,
    paths,
    pools,
    ...{ workers, runs },
    metrics: metrics.pools,
    log,
    audit,
    models: modelDeps(settings, downloads),
    engines: {
      dir: join(settings.DROVER_NODE_ENGINE_CACHE_DIR, nodeId),
      mayInstall: settings.DROVER_NODE_PACKAGE_INSTALL,
    },
    stopGraceMs,
    engineUser: engineUser(settings, log),
    parallelPreloads: settings.DROVER_NODE_PARALLEL_PRELOADS,
    maxLoadedPools: settings.DROVER_NODE_MAX_LOADED_POOLS ?? null,
    adapterOf,
    backends: settings.DROVER_NODE_BACKENDS,
    ramFactor: settings.DROVER_NODE_RAM_FACTOR,
    enginePorts: settings.DROVER_NODE_ENGINE_PORTS,
    gpuMaxCelsius: settings.DROVER_NODE_GPU_MAX_CELSIUS,
    machine: { freeMemoryBytes, oomKills, ioPressurePercent },
    env: () => process.env,
    now: Date.now,
    closing: closing.signal,
  };
  const devices = new DeviceWatch({
    query: async () => queryDevices(await findGpuTools(process.env), process.env),
    pools,
    gauge: metrics.devices,
    log,
    now: Date.now,
  });
  const handoffs = new HandoffWatch({
    paths: activities.paths,
    pools,
    adapterOf,
    hostProblem: allowHosts(settings.DROVER_NODE_HANDOFF_NETWORKS),
    autoDelete: settings.DROVER_NODE_AUTO_DELETE_HANDOFF,
    processed: metrics.handoff,
    log,
    now: Date.now,
  });
  return {
    ...{ runs, pools, contact, activities, devices, handoffs, room, workers, closing, engines, metrics },
  };
}

async function start(settings: Settings, log: Logger): Promise<RunningProcess> {
  let token = mustHaveToken(settings);
  const audit = await openProcessAudit('node', settings, log);
  const parts = assemble(settings, () => token, log, audit);
  const { runs, pools, contact, engines, activities, devices, handoffs } = parts;
  const recovery = {
    runsDir: join(settings.DROVER_STATE_DIR, 'runs'),
    ring: requirePayloadKeys(settings),
    register: runs,
    log,
  };
  installTemporalRuntime(log);
  const connectedAtMs = Date.now();
  const connection = await connectTemporal(settings);
  await requireSearchAttributes(connection, settings.TEMPORAL_NAMESPACE);
  await recoverRuns(recovery);
  // After that: which of the recovered runs wait for their workflows depends on when the worker before was in touch.
  contact.heard(connectedAtMs);
  contact.start((beforeMs) =>
    connection.withDeadline(beforeMs, () => connection.workflowService.getSystemInfo({})),
  );
  recallPools(activities.paths, pools, log);
  pools.onMove((pool, from) => {
    if (pools.get(pool.poolId) === pool) tellPoolState(log, pool, from);
    learnWorkloads(pool, log);
    rememberPools(activities.paths, pools.all(), log);
  });
  await adoptEngines(activities, pools, log);
  await endLeftCommands(activities.engines.dir, activities.stopGraceMs);
  engines.start();
  for (const pool_id of settings.DROVER_NODE_POOLS)
    if (pools.register(pool_id))
      log.info({ event: 'pool_registered', ...poolFields(pools, pool_id) }, 'pool known');
  const stopCutting = boundLogs({
    runtimeDir: activities.paths.runtimeDir,
    limitBytes: settings.DROVER_NODE_ENGINE_LOG_BYTES,
    log,
  });
  devices.start(settings.DROVER_NODE_GPU_DISCOVERY_INTERVAL_MS);
  handoffs.start(settings.DROVER_HANDOFF_WATCH_INTERVAL_MS);
  const sweep = setInterval(() => {
    void sweepRuns(recovery, Date.now() - settings.DROVER_RUN_RETENTION_MS);
  }, SWEEP_INTERVAL_MS).unref();
  const workers = await createWorkers(settings, connection, parts);
  const announceEngine = createAnnounceEngine({
    paths: activities.paths,
    pools,
    handoffs,
    hostProblem: allowHosts(settings.DROVER_NODE_HANDOFF_NETWORKS),
  });
  const named = { announceEngine, paths: activities.paths, log };
  const withdrawNamed = await bindNamedEngine(settings, named);
  const gateway = buildGateway({
    nodeId: settings.DROVER_NODE_ID,
    host: hostOf(settings.DROVER_NODE_ADDR),
    token: () => token,
    version: packageVersion(),
    bodyLimitBytes: settings.DROVER_BODY_LIMIT_BYTES,
    runs,
    inTouch: () => contact.inTouch(),
    pools,
    workers: parts.workers,
    devices: () => devices.snapshot(),
    announceEngine,
    metrics: parts.metrics,
    machine: thisMachine(settings),
    log,
  });
  const running = workers.map((worker) => worker.run());
  const url = await listen(gateway, settings.DROVER_NODE_ADDR);
  log.info({ event: 'listening', url, node_id: settings.DROVER_NODE_ID }, 'node gateway listens');
  const reporter = reportNode(settings, { pools, devices, url, token: () => token, log });
  // A worker that stops by itself still ends the process as an unhandled rejection, after the last word.
  for (const worker of running)
    void worker.catch(async (err: unknown) => {
      await reporter?.fail(err instanceof Error ? err.message : String(err));
      throw err;
    });
  return {
    close: async () => {
      await reporter?.stop();
      const endsAtMs = Date.now() + END_LIMIT_MS;
      parts.closing.abort();
      clearInterval(sweep);
      contact.stop();
      engines.stop();
      stopCutting();
      devices.stop();
      await handoffs.stop();
      await withdrawNamed();
      await gateway.close();
      await runs.close();
      for (const worker of workers) worker.shutdown();
      await atMost(settings.DROVER_NODE_STOP_GRACE_MS + WORKERS_END_MS, Promise.allSettled(running));
      if (settings.DROVER_NODE_ON_EXIT === 'stop') await stopEngines(pools, activities, endsAtMs);
      await atMost(CONNECTION_END_MS, connection.close());
      await audit.close();
    },
    reload: (next) => {
      token = mustHaveToken(next);
    },
  };
}

/** A Temporal that is out of reach keeps nobody: the engines are to be stopped, and the process to end. */
async function atMost(ms: number, ended: Promise<unknown>): Promise<void> {
  await Promise.race([ended, delay(ms, undefined, { ref: false })]);
}

function mustHaveToken({ DROVER_NODE_TOKEN: token }: Settings): string {
  if (token !== undefined) return token;
  throw new StartError('DROVER_NODE_TOKEN is not set; API and node share it, 16 characters or more');
}

async function isAlive({ pid, startTicks }: { pid: number; startTicks: string | null }): Promise<boolean> {
  return (await processStartTicks(pid)) === startTicks;
}

function createWorkers(
  settings: Settings,
  connection: NativeConnection,
  { activities, room }: NodeParts,
): Promise<Worker[]> {
  const shared = {
    connection,
    namespace: settings.TEMPORAL_NAMESPACE,
    dataConverter: temporalDataConverter(requirePayloadKeys(settings)),
    activities: createNodeActivities(activities, room),
    interceptors: { activity: [activityCorrelation] },
    shutdownGraceTime: settings.DROVER_NODE_STOP_GRACE_MS + STOP_MARGIN_MS,
  };
  return Promise.all([
    Worker.create({ ...shared, taskQueue: nodeQueue(settings.DROVER_NODE_ID) }),
    Worker.create({
      ...shared,
      taskQueue: nodeRunsQueue(settings.DROVER_NODE_ID),
      maxConcurrentActivityTaskExecutions: FOLLOWED_RUNS,
      maxConcurrentActivityTaskPolls: RUN_POLLS,
    }),
    Worker.create({
      ...shared,
      taskQueue: nodeModelsQueue(settings.DROVER_NODE_ID),
      maxConcurrentActivityTaskExecutions: settings.DROVER_MODEL_PARALLEL_DOWNLOADS,
      maxConcurrentActivityTaskPolls: 1,
      maxHeartbeatThrottleInterval: PROGRESS_INTERVAL_MS,
    }),
  ]);
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}

async function listen(gateway: ReturnType<typeof buildGateway>, address: string): Promise<string> {
  const at = address.lastIndexOf(':');
  try {
    return await gateway.listen({ host: hostOf(address), port: Number(address.slice(at + 1)) });
  } catch (err) {
    if ((err as { code?: string }).code !== 'EADDRINUSE') throw err;
    throw new StartError(`the address ${address} is taken; set DROVER_NODE_ADDR to another`, { cause: err });
  }
}

await runProcess('node', start);
