/**
 * Watches the engines that serve: one whose process is gone is unbound at once, so that no task is sent to it. An adopted
 * engine is nobody's child, hence pid and start time, asked again and again, rather than an exit event (design §3).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningEngine } from '../../activities/deps.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import type { Logger } from '../../telemetry/logger.js';
import { answersHealth } from './engine-health.js';
import type { PoolRegistry } from './pool-registry.js';

/** How soon a dead engine is noticed when no stream broke; reading one file of /proc costs microseconds. */
const WATCH_INTERVAL_MS = 500;
/** Looks at an engine of others that broke off a stream; its own watch unbinds it before. */
const PATIENT_LOOKS = 60;

/** What the watch works with. */
export interface EngineWatchDeps {
  pools: () => PoolRegistry;
  isAlive: (engine: RunningEngine & { pid: number }) => Promise<boolean>;
  log: Logger;
}

/** The watch over a node's engines. */
export class EngineWatch {
  private busy = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: EngineWatchDeps) {}

  start(): void {
    this.timer = setInterval(() => {
      if (this.busy) return;
      this.busy = true;
      void this.lookAtAll().finally(() => (this.busy = false));
    }, WATCH_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /**
   * A stream of this engine broke off: resolves when it is known to live or is unbound. An engine of others has no process
   * to look at, so it is waited for until it answers or its own watch has unbound it.
   */
  async look(poolId: string, replicaId: string): Promise<void> {
    const replica = this.deps.pools().get(poolId)?.replicas.get(replicaId);
    if (replica === undefined) return;
    if (replica.engine.pid !== null) return this.unbindIfGone(replica.engine);
    for (let looks = 0; looks < PATIENT_LOOKS; looks++) {
      if (this.deps.pools().running(poolId, replicaId) !== replica.engine) return;
      if (await answersHealth(replica.adapter)) return;
      await delay(WATCH_INTERVAL_MS);
    }
  }

  private async lookAtAll(): Promise<void> {
    for (const engine of this.deps.pools().engines()) await this.unbindIfGone(engine);
  }

  private async unbindIfGone(engine: RunningEngine): Promise<void> {
    const { pool_id, replica_id } = engine.prepared;
    const { pid } = engine;
    const pools = this.deps.pools();
    // Engines of others are known by their health (watch-handoffs.ts).
    if (pid === null) return;
    if (await this.deps.isAlive({ ...engine, pid })) return pools.seen(pool_id);
    if (pools.running(pool_id, replica_id)?.pid !== pid) return;
    const last_error = `the engine of replica ${replica_id} (pid ${pid}) has exited`;
    this.deps.log.error(
      { event: 'engine_gone', ...engineFields(engine.prepared), last_error },
      'engine gone',
    );
    pools.dropReplica(pool_id, replica_id, last_error);
  }
}
