/** What node activities are given: how tests reach in, and how activities stay ignorant of the worker around them. */
import type { LayersLoaded } from '../contracts/loading.js';
import type { PoolStatus, PreparedEngine } from '../contracts/pool.js';
import type { RunOffer, RunView } from '../contracts/node.js';
import type { EngineKind } from '../contracts/task.js';
import type { CrashReport } from '../contracts/supervision.js';
import type { CircuitTransition, Storm } from '../domain/supervision.js';
import type { CrashKind } from '../domain/crash.js';
import type { DeviceClaim } from '../domain/device-mask.js';
import type { PortRange } from '../domain/engine-port.js';
import type { LoadedPool } from '../domain/sleep.js';
import type { CancelReason } from '../domain/task.js';
import type { DroverError } from '../contracts/errors.js';
import type { Audit } from '../security/audit/audit-log.js';
import type { Logger } from '../telemetry/logger.js';
import type { EngineAdapter } from './engine/adapters/engine-adapter.js';
import type { ModelFolder } from './model/model-folder.js';
import type { ReplicaKey } from './replica-files.js';

/** What is known of an engine that serves: all of its launch, or what the handoff of somebody else's engine told. */
export type ServedEngine = Pick<
  PreparedEngine,
  | 'pool_id'
  | 'replica_id'
  | 'engine'
  | 'engine_digest'
  | 'engine_catalog_id'
  | 'device_mask'
  | 'share_devices'
  | 'split_plan'
  | 'model_name'
  | 'config_digest'
  | 'timeouts'
  | 'on_demand'
  | 'idle_ttl_ms'
> & {
  [K in 'engine_version' | 'backend' | 'slots_total' | 'model_ref' | 'model_path' | 'ctx_max']:
    PreparedEngine[K] | null;
} & Partial<Pick<PreparedEngine, 'device_chosen' | 'flags' | 'sampler_profile_version'>>;

/** A replica's engine that is up: where it answers and which process it is. */
export interface RunningEngine {
  prepared: ServedEngine;
  /** Base URL, `http://host:port`. */
  url: string;
  /** Null where somebody else started it: such an engine is known by its health alone. */
  pid: number | null;
  /** Start time of the process: with the pid it proves that the engine still runs. */
  startTicks: string | null;
  /** Slots that others have left us; absent or null: all of them. */
  slotsFree?: number | null;
}

/** The node's pool registry, as activities see it. The node owns it; the pool's workflow says when to move it. */
export interface PoolKeeper {
  status(poolId: string): PoolStatus | undefined;
  /** The engine that serves this replica now, if any. */
  running(poolId: string, replicaId: string): RunningEngine | undefined;
  /** Devices of the pools that run, or are about to. */
  claims(): DeviceClaim[];
  /** Pools whose engine loads now. */
  loading(): string[];
  /** Its engine or model is being fetched or built: not live, not ready (B-POOL-002). */
  provisioning(prepared: PreparedEngine): void;
  /** A preload began: not live, not ready. */
  starting(prepared: PreparedEngine): void;
  /** Health, probe and handoff are done: bind the engine, clear `last_error`, take work. */
  ready(engine: RunningEngine): void;
  /** The preload failed or the engine is gone: no work, `last_error` says why. */
  failed(poolId: string, lastError: string): void;
  /** Why the engine of this pool is gone; null where none has crashed since the pool was last started or stopped. */
  crash(poolId: string): CrashReport | null;
  /** Waits for its restart. This and the next two answer false, and change nothing, where another operation has the pool. */
  awaitingRestart(poolId: string, atMs: number, lastError: string): boolean;
  /** A circuit holds its restarts. */
  held(poolId: string, untilMs: number, lastError: string): boolean;
  /** Its restart begins. */
  restarting(poolId: string): boolean;
  /** The engine was stopped on purpose. */
  offline(poolId: string): void;
  /** It has no engine until a task asks for one. */
  asleep(prepared: PreparedEngine, lastError: string | null): void;
  /**
   * Takes its engines away from the tasks, unless it has any, or may not sleep.
   * @param onlyIfDue - unless it has not been idle for as long as its launch says, too
   */
  fallAsleep(poolId: string, onlyIfDue: boolean): boolean;
  /** Idle for as long as its launch says. */
  isSleepDue(poolId: string): boolean;
  /** What starts its engine; null where others start it. */
  launch(poolId: string): PreparedEngine | null;
  /** Pools that have an engine, are about to, or have been promised the room for one. */
  loaded(): LoadedPool[];
  /** This pool, which is asleep, counts as loaded until it is, or is put to sleep again. */
  promiseRoom(poolId: string): void;
  /** Forgets a pool that is off; false when it was not known (OC-POOL-3106). */
  deregister(poolId: string): boolean;
  /** No new work: what waits goes on waiting, what runs goes on running (B-DRAIN-001..003). */
  draining(poolId: string): void;
  /** The drain is off: takes work again, where an engine is bound; tells whether it does. */
  serving(poolId: string): boolean;
  /** Replicas whose engine is bound. */
  replicas(poolId: string): string[];
  /** Tasks that hold a slot now, of the whole pool or of one replica. */
  leases(poolId: string, replicaId?: string): string[];
  /** Tasks that wait for a slot. */
  waiting(poolId: string): string[];
  /** Its engines are about to be stopped: no task reaches them any more, and nobody watches them for a crash. */
  release(poolId: string, replicaId?: string): void;
  /** What waits goes on waiting while the engine is exchanged; new tasks may wait too. */
  reloading(poolId: string): void;
  /**
   * In one step new work goes to this engine of a replica. The one before goes on with its tasks, as the replica
   * `replicaBefore` (B-CP-034).
   */
  switched(engine: RunningEngine): void;
}

/** Engines of this node that speak as workers, from their spawn until they serve or are stopped. */
export interface WorkerKeeper {
  /**
   * Expects to hear from an engine that is about to be spawned; done twice, it is done once.
   * @returns what its process gets beside its launch; undefined for an engine that does not speak as a worker
   */
  enrol(
    prepared: PreparedEngine,
    spawnToken: string,
  ): { flags: string[]; secrets: Record<string, string> } | undefined;
  /** For how long it should have been heard of, in ms, and was not; undefined where it was, or need not be. */
  silentMs(replica: ReplicaKey): number | undefined;
  /** How far its model has come, as it told last. */
  loading(replica: ReplicaKey): LayersLoaded | undefined;
  /** It serves now, under this name or another, or is gone. */
  forget(replica: ReplicaKey): void;
}

/** The node's runs, as the following activity sees them. */
export interface RunKeeper {
  /** Offer and confirmation in one idempotent step (`PUT /runs/:task_id`). */
  attach(offer: RunOffer): Promise<RunView>;
  /** Resolves when the run has ended or `signal` aborts; the view tells which. */
  waitForEnd(taskId: string, signal: AbortSignal): Promise<RunView>;
  /** Ends a task, running or waiting, with `WORKER_RESET`; resolves when it has no slot. One that has ended is left alone. */
  reset(taskId: string, why: string): Promise<void>;
  /** Ends a task, running or waiting, with this error; resolves when it has no slot. One that has ended is left alone. */
  breakOff(taskId: string, error: DroverError): Promise<void>;
  /** Resolves when the slot is free. */
  cancel(taskId: string, reason: CancelReason): Promise<RunView>;
  view(taskId: string): RunView | undefined;
}

/** How a drain ended, as `pool_drain_total` counts it. */
export type DrainEnd = 'drained' | 'forced' | 'cancelled' | 'failed';

/** Counters and histograms that operations on pools move; the node owns these facts (B-OBS-016). */
export interface PoolMetrics {
  drainStarted(poolId: string, reason: string): void;
  drainEnded(poolId: string, end: DrainEnd, durationMs: number): void;
  /** `reason` is the failure's type, null for a success. */
  preloadEnded(poolId: string, engine: string, reason: string | null): void;
  /** As above. */
  reloadEnded(poolId: string, reason: string | null, durationMs: number): void;
  /** @param engine - the pool's mask, for a crash by a reset of its driver, and the model that it served */
  crashed(poolId: string, kind: CrashKind, engine: { device: string | null; modelRef: string }): void;
  /** An engine that serves was asked for its health. */
  healthChecked(poolId: string, isHealthy: boolean): void;
  restartPlanned(poolId: string, kind: CrashKind, delayMs: number): void;
  restarted(poolId: string, kind: CrashKind): void;
  circuitMoved(poolId: string, transition: CircuitTransition): void;
  storm(poolId: string, storm: Storm): void;
}

/** Folders of a node worker. */
export interface NodePaths {
  /** PID files, engine logs, spawn records: `<state>/node`. */
  runtimeDir: string;
  /** Handoff files: `<state>/engines` (B-PRELOAD-007). */
  handoffDir: string;
}

/** How an attempt at a file of a model ended. */
export type FetchEnd = 'success' | 'failure' | 'stopped';

/** What fetching models moves. */
export interface ModelMetrics {
  progress(modelId: string, bytes: number, totalBytes: number | null): void;
  /** The model is shown no more, until it is fetched again. */
  ended(modelId: string, end: FetchEnd): void;
}

/** Models that the node fetches, and how. */
export interface ModelDeps {
  folder: ModelFolder;
  metrics: ModelMetrics;
  /** What may be fetched, as `isAllowedSource` reads it. */
  allowedSources: readonly string[] | null;
  /** Address of Hugging Face, or of a mirror. */
  hfEndpoint: string;
  /** Goes to that address alone, and into no log. */
  hfToken: string | undefined;
  s3: { endpoint: string | undefined; region: string | undefined };
  /** Silence after which an attempt has failed, default 60,000 ms (B-MODEL-013). */
  stallMs: number;
  /** Null: as fast as they come. */
  bytesPerSecond: number | null;
}

/** Engines that the node makes available before it starts them. */
export interface EngineDeps {
  /** Where they are built and kept, a folder each. */
  dir: string;
  /** Whether packages of the system may be installed for them (B-PREFLIGHT-021). */
  mayInstall: boolean;
}

/** How the machine is measured. */
export interface MachineProbe {
  /** Memory that a new process could have. */
  freeMemoryBytes: () => number;
  /** Processes that the system has ended for want of memory, since boot. */
  oomKills: () => Promise<number>;
  /** Percent of the last seconds in which a process waited for a disk; undefined where nobody knows. */
  ioPressurePercent: () => Promise<number | undefined>;
}

/** Everything that node activities use. */
export interface NodeActivityDeps {
  nodeId: string;
  paths: NodePaths;
  pools: PoolKeeper;
  workers: WorkerKeeper;
  runs: RunKeeper;
  metrics: PoolMetrics;
  log: Logger;
  audit: Audit;
  models: ModelDeps;
  engines: EngineDeps;
  /** Time between SIGTERM and SIGKILL, default 5,000 ms (B-PROC-012). */
  stopGraceMs: number;
  /** Pools that may load at once (B-PRELOAD-074). */
  parallelPreloads: number;
  /** Pools that may be loaded when one on demand wakes, itself counted; null: as many as memory holds. */
  maxLoadedPools: number | null;
  /** Speaks to an engine of this kind at this address, with the key that it wants. */
  adapterOf: (kind: EngineKind, url: string) => EngineAdapter;
  /** Backends that engines of this node may use. */
  backends: readonly string[];
  /** Memory that a model needs at least where the CPU runs it, by its size (B-WPRE-001). */
  ramFactor: number;
  /** Where engines go whose port is taken (B-WRK-005). */
  enginePorts: PortRange;
  /** Degrees Celsius above which no engine is started on a GPU (B-WPRE-013). */
  gpuMaxCelsius: number;
  /** Measures the machine; tests hand in figures of their own (B-WPRE-017). GPUs are asked of the driver's tool on the PATH. */
  machine: MachineProbe;
  /** Whom engines run as; null: whoever the worker runs as (B-SEC-001). */
  engineUser: { uid: number; gid: number } | null;
  /** Environment of the worker at the time of the call, for PATH look-ups (B-PREFLIGHT-004). */
  env: () => Record<string, string | undefined>;
  now: () => number;
  /** Aborts when the worker begins to end: a wait that could take for ever is then the next worker's. */
  closing: AbortSignal;
}
