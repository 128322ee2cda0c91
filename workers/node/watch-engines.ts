/**
 * Watches the engines that serve: one whose process is gone is unbound at once, so that no task is sent to it, and its
 * pool's supervisor finds the crash here (`watchEngine`). An adopted engine is nobody's child, hence pid and start time,
 * asked again and again, rather than an exit event (design §3). One that lives and misses {@link MISSES} health polls in a
 * row is ended: it would hold its memory for nothing (B-SUPER-002).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { PoolMetrics, RunningEngine } from '../../activities/deps.js';
import type { EngineAdapter } from '../../activities/engine/adapters/engine-adapter.js';
import { engineFields, narration } from '../../activities/pool/pool-fields.js';
import type { CrashReport } from '../../contracts/supervision.js';
import { withOwnCorrelation } from '../../telemetry/correlation.js';
import type { Logger } from '../../telemetry/logger.js';
import { reportCrash, tellCrash, type CrashScene, type CrashSigns, type OwnEngine } from './crash-report.js';
import type { PoolRegistry, Replica } from './pool-registry.js';

/** How soon a dead engine is noticed when no stream broke; reading one file of /proc costs microseconds. */
const WATCH_INTERVAL_MS = 500;
/** Looks at an engine of others that broke off a stream; its own watch unbinds it before. */
const PATIENT_LOOKS = 60;
/** A busy engine may answer late once or twice. */
const MISSES = 3;

/** What the watch works with. */
export interface EngineWatchDeps extends CrashScene {
  pools: () => PoolRegistry;
  isAlive: (engine: OwnEngine) => Promise<boolean>;
  /** Asks an engine for its health, for a bounded time. */
  answers: (adapter: EngineAdapter) => Promise<boolean>;
  /** Ends an engine that does not answer, and all that it has started. */
  end: (engine: OwnEngine) => Promise<void>;
  /** Processes that the system has ended for want of memory, since boot. */
  oomKills: () => Promise<number>;
  healthIntervalMs: number;
  metrics: Pick<PoolMetrics, 'crashed' | 'healthChecked'>;
  log: Logger;
}

/** The watch over a node's engines. */
export class EngineWatch {
  private busy = false;
  private oomKills = Infinity;
  private timers: NodeJS.Timeout[] = [];
  /** By engine: when it did not answer, in a row. */
  private readonly missedAtMs = new Map<string, number[]>();
  private readonly asking = new Set<string>();

  constructor(private readonly deps: EngineWatchDeps) {}

  start(): void {
    this.timers = [
      setInterval(() => void withOwnCorrelation(() => this.lookAtAll()), WATCH_INTERVAL_MS).unref(),
      setInterval(() => void withOwnCorrelation(() => this.ask()), this.deps.healthIntervalMs).unref(),
    ];
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /**
   * A stream of this engine broke off: resolves when it is known to live or is unbound. An engine of others has no process
   * to look at, so it is waited for until it answers or its own watch has unbound it.
   */
  async look(poolId: string, replicaId: string): Promise<void> {
    const replica = this.deps.pools().get(poolId)?.replicas.get(replicaId);
    if (replica === undefined) return;
    if (isOwn(replica.engine)) return this.unbindIfGone(replica.engine);
    for (let looks = 0; looks < PATIENT_LOOKS; looks++) {
      if (this.deps.pools().running(poolId, replicaId) !== replica.engine) return;
      if (await this.deps.answers(replica.adapter)) return;
      await delay(WATCH_INTERVAL_MS);
    }
  }

  /** Looks once whether the processes of our own engines are there; those of others are known by their health alone. */
  async lookAtAll(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      for (const engine of this.deps.pools().engines()) if (isOwn(engine)) await this.unbindIfGone(engine);
      this.oomKills = await this.deps.oomKills();
    } finally {
      this.busy = false;
    }
  }

  /** Asks each of our own engines once for its health; one that is being asked is not asked again. */
  async ask(): Promise<void> {
    await Promise.all(
      this.deps
        .pools()
        .everyReplica()
        .map((replica) => this.askOne(replica)),
    );
  }

  private async askOne(replica: Replica): Promise<void> {
    const { engine, adapter } = replica;
    if (!isOwn(engine)) return;
    const key = `${engine.pid}:${engine.startTicks ?? ''}`;
    if (this.asking.has(key)) return;
    this.asking.add(key);
    try {
      const isHealthy = await this.deps.answers(adapter);
      this.deps.metrics.healthChecked(engine.prepared.pool_id, isHealthy);
      if (isHealthy) replica.healthyAtMs = this.deps.now();
      if (isHealthy || this.speaks(replica)) {
        replica.missedPolls = 0;
        return void this.missedAtMs.delete(key);
      }
      const missed = [...(this.missedAtMs.get(key) ?? []), this.deps.now()];
      this.missedAtMs.set(key, missed);
      replica.missedPolls = missed.length;
      if (missed.length < MISSES || !(await this.deps.isAlive(engine))) return;
      this.missedAtMs.delete(key);
      const missed_at = missed.map((atMs) => new Date(atMs).toISOString());
      const silence = narration(
        'heartbeat',
        engine.prepared.pool_id,
        `Ends an engine after ${MISSES} missed polls`,
      );
      this.deps.log.error(
        { event: 'engine_silent', ...silence, ...engineFields(engine.prepared), missed_at },
        'engine silent',
      );
      await this.fallen(engine, { silent: true, oomKilled: false });
    } finally {
      this.asking.delete(key);
    }
  }

  /** An engine whose tokens flow is alive, whatever its health says (B-SUPER-002). */
  private speaks({ tokenAtMs }: Replica): boolean {
    return tokenAtMs !== undefined && this.deps.now() - tokenAtMs < this.deps.healthIntervalMs;
  }

  private async unbindIfGone(engine: OwnEngine): Promise<void> {
    const { deps } = this;
    if (await deps.isAlive(engine)) return deps.pools().seen(engine.prepared.pool_id);
    await this.fallen(engine, { silent: false, oomKilled: (await deps.oomKills()) > this.oomKills });
  }

  private async fallen(engine: OwnEngine, signs: CrashSigns): Promise<void> {
    const { log, end } = this.deps;
    const { pool_id, replica_id } = engine.prepared;
    const report = await reportCrash(this.deps, engine, signs);
    // It was stopped on purpose meanwhile, or somebody else has looked.
    const replica = this.deps.pools().get(pool_id)?.replicas.get(replica_id);
    if (replica?.engine.pid !== engine.pid) return;
    if (report !== undefined) tellCrash(this.deps, report);
    else {
      const { pid, prepared } = engine;
      const line = { event: 'engine_crashed', ...engineFields(prepared), pid, reason: 'unknown' };
      log.error(line, 'engine crashed');
    }
    this.unbind(engine, report);
    if (signs.silent) await end(engine);
    else if (report !== undefined) void this.endWhatAnswers(engine, replica.adapter, report);
  }

  /**
   * A process that is gone may have left children that hold its memory, and answer on its port: what answers there is no
   * engine of ours any more, and goes.
   */
  private async endWhatAnswers(
    engine: OwnEngine,
    adapter: EngineAdapter,
    { crash_id, pool_id }: CrashReport,
  ): Promise<void> {
    const { log, answers, end, pools } = this.deps;
    if (!(await answers(adapter))) return;
    pools().outlived(pool_id, crash_id, true);
    const story = narration(
      'crash',
      pool_id,
      'Ends what still answers in the place of an engine that is gone',
    );
    const fields = { ...story, ...engineFields(engine.prepared), pid: engine.pid, crash_id };
    log.error(
      { event: 'engine_zombie', ...fields },
      'its process is gone, and something answers on its port',
    );
    try {
      await end(engine);
      pools().outlived(pool_id, crash_id, await answers(adapter));
    } catch (err) {
      log.error({ event: 'engine_zombie_stays', ...fields, err }, 'it cannot be ended');
    }
  }

  /** Only a pool that should serve is started again: an operation that has it ends as it was meant to. */
  private unbind({ prepared, pid }: OwnEngine, report: CrashReport | undefined): void {
    const pools = this.deps.pools();
    const { pool_id, replica_id } = prepared;
    const lastError = report?.last_error ?? `the engine of replica ${replica_id} (pid ${pid}) has exited`;
    const isLast = pools.replicas(pool_id).length === 1;
    if (isLast && report !== undefined && pools.status(pool_id)?.ready === true) pools.crashed(report);
    else pools.dropReplica(pool_id, replica_id, lastError);
  }
}

function isOwn(engine: RunningEngine): engine is OwnEngine {
  return engine.pid !== null;
}
