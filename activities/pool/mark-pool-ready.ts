/**
 * Activity `markPoolReady`: the node binds the engine and gives it work (B-PRELOAD-021, B-PRELOAD-023..025). What an
 * earlier drain left behind does not hold it up (B-DRAIN-016).
 */
import type { NodeActivityDeps } from '../deps.js';
import type { StartingEngine } from '../engine/await-engine-ready.js';
import { removeDrainMark } from './drain-mark.js';
import { engineFields, narration } from './pool-fields.js';

/** An engine that has proved itself. */
export interface MarkPoolReadyInput extends StartingEngine {
  /** Since the preload began. */
  duration_ms: number;
}

/** Builds the activity `markPoolReady`. */
export function markPoolReadyActivity({
  pools,
  workers,
  paths,
  metrics,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'workers' | 'paths' | 'metrics' | 'log'>) {
  /** A preload counts once; what a reload brings up is no preload. */
  return async function markPoolReady({ prepared, engine, duration_ms }: MarkPoolReadyInput): Promise<void> {
    await removeDrainMark(paths, prepared.pool_id);
    const isPreload = pools.status(prepared.pool_id)?.state === 'starting';
    const { pid, url, start_ticks: startTicks } = engine;
    pools.ready({ prepared, url, pid, startTicks });
    workers.forget(prepared);
    if (isPreload) metrics.preloadEnded(prepared.pool_id, prepared.engine, null);
    const slots = prepared.slots_total;
    const human = `Serves with ${slots} ${slots === 1 ? 'slot' : 'slots'}, ${duration_ms} ms after the order`;
    const fields = { ...narration('ready', prepared.pool_id, human), ...engineFields(prepared) };
    log.info({ event: 'pool_ready', ...fields, pid, url, duration_ms }, 'pool ready');
  };
}
