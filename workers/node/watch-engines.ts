/**
 * Watches the engines that serve: one whose process is gone is unbound at once, so that no task is sent to it. An adopted
 * engine is nobody's child, hence pid and start time, asked again and again, rather than an exit event (design §3).
 */
import type { RunningEngine } from '../../activities/deps.js';
import type { Logger } from '../../telemetry/logger.js';
import type { PoolRegistry } from './pool-registry.js';

/** How soon a dead engine is noticed when no stream broke; reading one file of /proc costs microseconds. */
const WATCH_INTERVAL_MS = 500;

/** Starts watching; the returned function ends it. */
export function watchEngines(
  pools: PoolRegistry,
  isAlive: (engine: RunningEngine & { pid: number }) => Promise<boolean>,
  log: Logger,
): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void look().finally(() => (busy = false));
  }, WATCH_INTERVAL_MS).unref();

  async function look(): Promise<void> {
    for (const engine of pools.engines()) {
      const { pool_id, replica_id, engine: kind, engine_version, device_mask } = engine.prepared;
      const { pid } = engine;
      // Engines of others are known by their health (watch-handoffs.ts).
      if (pid === null || (await isAlive({ ...engine, pid }))) continue;
      if (pools.running(pool_id, replica_id)?.pid !== pid) continue;
      const last_error = `the engine of replica ${replica_id} (pid ${pid}) has exited`;
      log.error(
        { event: 'engine_gone', pool_id, replica_id, engine: kind, engine_version, device_mask, last_error },
        'engine gone',
      );
      pools.failed(pool_id, last_error);
    }
  }

  return () => {
    clearInterval(timer);
  };
}
