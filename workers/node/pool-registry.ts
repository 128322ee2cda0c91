/**
 * The pools of this node: state, engines, adapters and one scheduler each. The pool's workflow moves a pool through
 * its activities ({@link PoolKeeper}); placement, the gateway and the runs read it here.
 */
import type { EngineAdapter } from '../../activities/engine/adapters/engine-adapter.js';
import type { PoolKeeper, RunningEngine, ServedEngine } from '../../activities/deps.js';
import type { ReplicaKey } from '../../activities/replica-files.js';
import type { LayersLoaded } from '../../contracts/loading.js';
import { preparedEngine, type PoolStatus, type PreparedEngine } from '../../contracts/pool.js';
import type { CrashReport } from '../../contracts/supervision.js';
import type { EngineKind, Workload } from '../../contracts/task.js';
import { CLOSED, type Circuit } from '../../domain/circuit.js';
import { measured, type Throughput } from '../../domain/estimate.js';
import { RetryAdvice } from '../../domain/retry-after.js';
import type { DeviceClaim } from '../../domain/device-mask.js';
import { replicaBefore } from '../../domain/identity.js';
import { isUnfetched } from '../../domain/reload.js';
import { isLive, isReady, mayBecomeReady, mayBeRestarted, type PoolState } from '../../domain/pool.js';
import { maySleep, sleepsAtMs, type LoadedPool } from '../../domain/sleep.js';
import { Scheduler, type SchedulerEffects } from './scheduler.js';

/** A pool without a sign of life for longer is shown as failed. */
const HEARTBEAT_LIMIT_MS = 30_000;

/** An engine that takes work, and the adapter that speaks to it. */
export interface Replica {
  engine: RunningEngine;
  adapter: EngineAdapter;
  /** Whether tasks are given to it, by how the last ones went. */
  circuit: Circuit;
  /** What it does; null while it is being asked, undefined before. */
  workloads?: readonly Workload[] | null;
  /** When a task last got a token of it. */
  tokenAtMs?: number;
  /** Health polls that it has missed in a row, and when it last answered one. */
  missedPolls?: number;
  healthyAtMs?: number;
}

/** One pool of this node. */
export interface Pool {
  poolId: string;
  state: PoolState;
  prepared: ServedEngine | null;
  lastError: string | null;
  /** Why its engine is gone, until it is started again or an operation takes the pool over. */
  crash: CrashReport | null;
  /** Something still answers where the engine that crashed did. */
  outlived: boolean;
  nextRestartAtMs: number | null;
  changedAtMs: number;
  /** When an engine of it was last seen alive; null before the first. */
  heartbeatAtMs: number | null;
  scheduler: Scheduler;
  replicas: Map<string, Replica>;
  throughput: Throughput;
  /** What it tells those whom its full queue refuses. */
  retryAdvice: RetryAdvice;
  /** When it last had a task, or came to serve. */
  usedAtMs: number;
  /** Offers that are being looked at: their engine does not go meanwhile. */
  offers: number;
  /** What its last load took, from the start of the engine on; null before the first. */
  loadMs: number | null;
  /** The reference of the model that has to be fetched, or was, before this load. */
  fetches: string | null;
  /** It sleeps, and has been promised the room for its engine. */
  hasRoom: boolean;
}

/** A pool has come to another state, failed for another reason, or was forgotten as it stood (B-POOL-009). */
export type PoolMove = (pool: Pool, from: PoolState) => void;

/** Registry of this node's pools; `effects` are the runs' side of every pool's scheduler. */
export class PoolRegistry implements PoolKeeper {
  private readonly pools = new Map<string, Pool>();
  private moved: PoolMove = () => undefined;
  private loadingOf: (replica: ReplicaKey) => LayersLoaded | undefined = () => undefined;

  constructor(
    private readonly capacity: number,
    private readonly adapterOf: (kind: EngineKind, url: string) => EngineAdapter,
    private readonly effects: SchedulerEffects,
    private readonly now: () => number,
  ) {}

  /** Calls `listener` at every move from now on. */
  onMove(listener: PoolMove): void {
    this.moved = listener;
  }

  /** Asks `tell` how far the model of an engine that starts has come. */
  onLoading(tell: (replica: ReplicaKey) => LayersLoaded | undefined): void {
    this.loadingOf = tell;
  }

  /** The pool, or undefined when nothing was ever asked of it here. */
  get(poolId: string): Pool | undefined {
    return this.pools.get(poolId);
  }

  /** The pool, made on first mention: a recovered task may come before its pool's preload. */
  ensure(poolId: string): Pool {
    const known = this.pools.get(poolId);
    if (known !== undefined) return known;
    const pool: Pool = {
      poolId,
      state: 'uninitialized',
      prepared: null,
      lastError: null,
      crash: null,
      outlived: false,
      nextRestartAtMs: null,
      changedAtMs: this.now(),
      heartbeatAtMs: null,
      scheduler: new Scheduler(this.capacity, this.effects),
      replicas: new Map(),
      throughput: {},
      retryAdvice: new RetryAdvice(),
      ...{ usedAtMs: this.now(), offers: 0, loadMs: null, fetches: null, hasRoom: false },
    };
    this.pools.set(poolId, pool);
    return pool;
  }

  /** Makes a pool known before anything was done with it (B-POOL-001); false, and nothing else, when it was. */
  register(poolId: string): boolean {
    const isNew = !this.pools.has(poolId);
    this.ensure(poolId);
    return isNew;
  }

  /** Takes over what an earlier worker knew of a pool (B-REG-134). */
  recall(
    known: Pick<Pool, 'lastError' | 'crash' | 'loadMs'> & {
      prepared: ServedEngine;
      state: 'offline' | 'failed' | 'asleep';
    },
  ): void {
    const { prepared, state, lastError, crash, loadMs } = known;
    const pool = this.ensure(prepared.pool_id);
    Object.assign(pool, { prepared, lastError, loadMs });
    this.move(pool, state, { crash });
  }

  /** Every pool. */
  all(): Iterable<Pool> {
    return this.pools.values();
  }

  /** Forgets a pool (B-REG-083); false, and nothing else, when it was not known. */
  deregister(poolId: string): boolean {
    const pool = this.pools.get(poolId);
    if (pool === undefined) return false;
    this.unbind(pool);
    this.pools.delete(poolId);
    this.moved(pool, pool.state);
    return true;
  }

  /** Every engine that serves. */
  engines(): RunningEngine[] {
    return this.everyReplica().map(({ engine }) => engine);
  }

  /** The same, each with its adapter. */
  everyReplica(): Replica[] {
    return [...this.pools.values()].flatMap(({ replicas }) => [...replicas.values()]);
  }

  running(poolId: string, replicaId: string): RunningEngine | undefined {
    return this.pools.get(poolId)?.replicas.get(replicaId)?.engine;
  }

  claims(): DeviceClaim[] {
    const held = [...this.pools.values()].filter(({ state }) => isLive(state) || mayBecomeReady(state));
    return held.flatMap(({ prepared, replicas }) => [
      ...(prepared === null ? [] : [prepared]),
      ...[...replicas.values()].map(({ engine }) => engine.prepared),
    ]);
  }

  loading(): string[] {
    return [...this.pools.values()].filter(({ state }) => state === 'starting').map(({ poolId }) => poolId);
  }

  provisioning(prepared: PreparedEngine): void {
    const pool = this.ensure(prepared.pool_id);
    this.nowServes(pool, prepared);
    this.move(pool, 'provisioning');
  }

  starting(prepared: PreparedEngine): void {
    const pool = this.ensure(prepared.pool_id);
    this.nowServes(pool, prepared);
    this.move(pool, 'starting');
  }

  ready(engine: RunningEngine): void {
    const pool = this.ensure(engine.prepared.pool_id);
    if (pool.state === 'starting') pool.loadMs = this.now() - pool.changedAtMs;
    this.bind(engine, 'ready');
  }

  asleep(prepared: PreparedEngine, lastError: string | null): void {
    const pool = this.ensure(prepared.pool_id);
    this.unbind(pool);
    if (isUnfetched(prepared)) pool.fetches = prepared.model_ref;
    else if (pool.state !== 'asleep') pool.fetches = null;
    this.nowServes(pool, prepared);
    pool.lastError = lastError;
    this.move(pool, 'asleep');
  }

  fallAsleep(poolId: string, onlyIfDue: boolean): boolean {
    const pool = this.pools.get(poolId);
    if (pool?.state !== 'ready' || pool.prepared === null || !maySleep(pool.prepared)) return false;
    if (tasksOf(pool) > 0 || (onlyIfDue && !this.isSleepDue(poolId)) || this.launch(poolId) === null)
      return false;
    this.unbind(pool);
    pool.fetches = null;
    this.move(pool, 'asleep');
    return true;
  }

  isSleepDue(poolId: string): boolean {
    const pool = this.pools.get(poolId);
    const atMs = pool?.state === 'ready' ? sleepsAt(pool) : null;
    return atMs !== null && atMs <= this.now();
  }

  launch(poolId: string): PreparedEngine | null {
    return preparedEngine.safeParse(this.pools.get(poolId)?.prepared).data ?? null;
  }

  loaded(): LoadedPool[] {
    const all = [...this.pools.values()];
    return all
      .filter(({ state, hasRoom }) => isLive(state) || state === 'starting' || hasRoom)
      .map(loadedPool);
  }

  promiseRoom(poolId: string): void {
    this.ensure(poolId).hasRoom = true;
  }

  /** It has just had a task. */
  used(poolId: string): void {
    const pool = this.pools.get(poolId);
    if (pool !== undefined) pool.usedAtMs = this.now();
  }

  /** Takes over the engine of an earlier worker; a pool that it was draining drains on (B-DRAIN-012). */
  adopted(engine: RunningEngine, isDraining: boolean): void {
    this.bind(engine, isDraining ? 'draining' : 'ready');
  }

  private bind(engine: RunningEngine, state: 'ready' | 'draining'): void {
    const { prepared } = engine;
    const pool = this.ensure(prepared.pool_id);
    this.nowServes(pool, prepared);
    pool.lastError = null;
    pool.heartbeatAtMs = this.now();
    const before = pool.replicas.get(prepared.replica_id);
    if (before?.engine.pid !== engine.pid || before.engine.url !== engine.url) {
      void before?.adapter.close();
      this.put(pool, engine);
    } else before.engine = engine;
    // Where nobody says how many slots there are there is one (C-032).
    const slots = engine.slotsFree ?? prepared.slots_total ?? 1;
    pool.scheduler.setSlots(prepared.replica_id, slots);
    this.move(pool, state);
    pool.scheduler.pump();
  }

  /** A new engine under this name: what was held against the one before is not its fault. */
  private put(pool: Pool, engine: RunningEngine): void {
    const { engine: kind, replica_id } = engine.prepared;
    const adapter = this.adapterOf(kind, engine.url);
    pool.replicas.set(replica_id, { engine, adapter, circuit: CLOSED });
    pool.scheduler.limit(replica_id, Infinity);
  }

  draining(poolId: string): void {
    const pool = this.ensure(poolId);
    if (pool.state !== 'draining') this.move(pool, 'draining');
  }

  serving(poolId: string): boolean {
    const pool = this.ensure(poolId);
    const isHeld = pool.state === 'draining' || pool.state === 'reloading';
    if (!isHeld || pool.replicas.size === 0) return false;
    this.move(pool, 'ready');
    pool.scheduler.pump();
    return true;
  }

  replicas(poolId: string): string[] {
    return [...(this.pools.get(poolId)?.replicas.keys() ?? [])];
  }

  leases(poolId: string, replicaId?: string): string[] {
    const scheduler = this.pools.get(poolId)?.scheduler;
    if (scheduler === undefined) return [];
    return replicaId === undefined ? scheduler.leases : scheduler.leasesOf(replicaId);
  }

  waiting(poolId: string): string[] {
    return this.pools.get(poolId)?.scheduler.waiting() ?? [];
  }

  release(poolId: string, replicaId?: string): void {
    const pool = this.pools.get(poolId);
    if (pool !== undefined) this.unbind(pool, replicaId);
  }

  reloading(poolId: string): void {
    this.move(this.ensure(poolId), 'reloading');
  }

  switched(engine: RunningEngine): void {
    const { prepared } = engine;
    const pool = this.ensure(prepared.pool_id);
    const { replica_id } = prepared;
    const before = pool.replicas.get(replica_id);
    if (before?.engine.pid === engine.pid) return;
    // In its place in the map: the first replica is the one that counts a prompt's tokens.
    this.put(pool, engine);
    const retired = replicaBefore(replica_id);
    if (before !== undefined) pool.replicas.set(retired, before);
    pool.scheduler.retire(replica_id, retired);
    pool.scheduler.setSlots(replica_id, prepared.slots_total ?? 1);
    this.nowServes(pool, prepared);
    this.move(pool, 'ready');
    pool.scheduler.pump();
  }

  /** An engine of the pool was seen alive: its process is there, or its health answers. */
  seen(poolId: string): void {
    this.ensure(poolId).heartbeatAtMs = this.now();
  }

  failed(poolId: string, lastError: string): void {
    const pool = this.ensure(poolId);
    pool.lastError = lastError;
    this.unbind(pool);
    this.move(pool, 'failed');
  }

  crashed(report: CrashReport): void {
    const pool = this.ensure(report.pool_id);
    pool.prepared ??= report.prepared; // Else an engine that fell before this worker began.
    pool.lastError = report.last_error;
    pool.outlived = false;
    this.unbind(pool);
    this.move(pool, 'failed', { crash: report });
  }

  /** Whether something answers where the engine of this crash did. */
  outlived(poolId: string, crashId: string, answers: boolean): void {
    const pool = this.pools.get(poolId);
    if (pool?.crash?.crash_id === crashId) pool.outlived = answers;
  }

  crash(poolId: string): CrashReport | null {
    return this.pools.get(poolId)?.crash ?? null;
  }

  awaitingRestart(poolId: string, atMs: number, lastError: string): boolean {
    return this.moveFallen(poolId, 'backoff', lastError, atMs);
  }

  held(poolId: string, untilMs: number, lastError: string): boolean {
    return this.moveFallen(poolId, 'failed', lastError, untilMs);
  }

  restarting(poolId: string): boolean {
    const { state, lastError } = this.ensure(poolId);
    // Told twice, it is done once; and two preloads of a pool meet in one run.
    return state === 'starting' || this.moveFallen(poolId, 'starting', lastError, null);
  }

  /** In one step, so that a supervisor never takes a pool out of the hands of another operation. */
  private moveFallen(
    poolId: string,
    state: PoolState,
    lastError: string | null,
    nextRestartAtMs: number | null,
  ): boolean {
    const pool = this.ensure(poolId);
    if (!mayBeRestarted(pool.state)) return false;
    pool.lastError = lastError;
    this.move(pool, state, { nextRestartAtMs });
    return true;
  }

  /** One engine of a pool is gone; without another the pool has failed. */
  dropReplica(poolId: string, replicaId: string, lastError: string): void {
    const pool = this.ensure(poolId);
    void pool.replicas.get(replicaId)?.adapter.close();
    pool.replicas.delete(replicaId);
    pool.scheduler.setSlots(replicaId, 0);
    if (pool.replicas.size === 0) this.failed(poolId, lastError);
  }

  offline(poolId: string): void {
    const pool = this.ensure(poolId);
    this.unbind(pool);
    this.move(pool, 'offline');
  }

  /** Takes a finished run into the pool's averages. */
  learn(poolId: string, run: Parameters<typeof measured>[1]): void {
    const pool = this.ensure(poolId);
    pool.throughput = measured(pool.throughput, run);
  }

  /** What was measured of one model says nothing of another. */
  private nowServes(pool: Pool, prepared: ServedEngine): void {
    if (pool.prepared?.model_ref !== prepared.model_ref) pool.throughput = {};
    pool.prepared = prepared;
  }

  private unbind(pool: Pool, only?: string): void {
    for (const [replicaId, { adapter }] of [...pool.replicas]) {
      if (only !== undefined && only !== replicaId) continue;
      pool.scheduler.setSlots(replicaId, 0);
      void adapter.close();
      pool.replicas.delete(replicaId);
      pool.scheduler.forget(replicaId);
    }
  }

  private move(
    pool: Pool,
    state: PoolState,
    { crash = null, nextRestartAtMs = null }: Partial<Pick<Pool, 'crash' | 'nextRestartAtMs'>> = {},
  ): void {
    const from = pool.state;
    pool.state = state;
    pool.crash = crash;
    pool.nextRestartAtMs = nextRestartAtMs;
    pool.hasRoom = false;
    if (from !== 'ready') pool.usedAtMs = this.now();
    pool.scheduler.pause(state === 'draining' || state === 'reloading');
    pool.changedAtMs = this.now();
    this.moved(pool, from);
  }

  status(poolId: string): PoolStatus | undefined {
    const pool = this.pools.get(poolId);
    return pool === undefined ? undefined : this.statusOf(pool);
  }

  /** Every pool, sorted by id. */
  snapshot(): PoolStatus[] {
    const pools = [...this.pools.values()].sort((a, b) => (a.poolId < b.poolId ? -1 : 1));
    return pools.map((pool) => this.statusOf(pool));
  }

  /** A pool whose engine nobody has seen for long serves nobody, whatever it was told to be (B-REG-136). */
  private shown({ state, lastError, heartbeatAtMs, replicas }: Pool): Pick<Pool, 'state' | 'lastError'> {
    const ageMs = heartbeatAtMs === null ? 0 : this.now() - heartbeatAtMs;
    // A pool that lets its engines go, at the end of a drain, has nobody to look for.
    if (!isLive(state) || replicas.size === 0 || ageMs <= HEARTBEAT_LIMIT_MS) return { state, lastError };
    return { state: 'failed', lastError: `no sign of life of its engine for ${ageMs} ms` };
  }

  private statusOf(pool: Pool): PoolStatus {
    const { prepared, scheduler } = pool;
    const { state, lastError } = this.shown(pool);
    const loading = state === 'starting' && prepared !== null ? this.loadingOf(prepared) : undefined;
    return {
      pool_id: pool.poolId,
      state,
      live: isLive(state),
      ready: isReady(state),
      draining: state === 'draining',
      active_leases: scheduler.activeLeases,
      slots_total: prepared?.slots_total ?? null,
      slots_free: prepared?.slots_total == null ? null : scheduler.slotsFree,
      queue_depth: scheduler.depth(),
      engine: prepared?.engine ?? null,
      engine_version: prepared?.engine_version ?? null,
      engine_digest: prepared?.engine_digest ?? null,
      engine_catalog_id: prepared?.engine_catalog_id ?? null,
      backend: prepared?.backend ?? null,
      device_mask: prepared?.device_mask ?? null,
      split_plan: prepared?.split_plan ?? null,
      model_ref: prepared?.model_ref ?? null,
      model_name: prepared?.model_name ?? null,
      ctx_max: prepared?.ctx_max ?? null,
      workloads: workloadsOf(pool),
      config_digest: prepared?.config_digest ?? null,
      last_error: lastError,
      ...(loading === undefined ? {} : { loading }),
      changed_at_ms: pool.changedAtMs,
      last_heartbeat_ms: pool.heartbeatAtMs,
      next_restart_at: isoTime(pool.nextRestartAtMs),
      on_demand: prepared?.on_demand ?? false,
      sleeps_at_ms: state === 'ready' ? sleepsAt(pool) : null,
    };
  }
}

/** Tasks that it has, and those that are about to be its. */
function tasksOf({ scheduler, offers }: Pool): number {
  return scheduler.activeLeases + scheduler.depth() + offers;
}

/** Whatever is not ready has its engine for somebody's sake. */
function loadedPool(pool: Pool): LoadedPool {
  const { poolId, prepared, usedAtMs } = pool;
  const tasks = pool.state === 'ready' ? tasksOf(pool) : Math.max(1, tasksOf(pool));
  return { poolId, wishes: prepared ?? {}, tasks, usedAtMs };
}

function sleepsAt(pool: Pool): number | null {
  return sleepsAtMs(loadedPool(pool));
}

/** Engines of one pool are started alike: what the first does they all do. */
function workloadsOf({ replicas }: Pool): Workload[] | null {
  const [first] = replicas.values();
  return first?.workloads == null ? null : [...first.workloads];
}

function isoTime(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
