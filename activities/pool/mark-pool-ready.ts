/**
 * Activity `markPoolReady`: the node binds the engine and gives it work (B-PRELOAD-021, B-PRELOAD-023..025). What an
 * earlier drain left behind does not hold it up (B-DRAIN-016).
 */
import type { NodeActivityDeps } from '../deps.js';
import type { StartingEngine } from '../engine/await-engine-ready.js';
import { removeDrainMark } from './drain-mark.js';

/** An engine that has proved itself. */
export interface MarkPoolReadyInput extends StartingEngine {
  /** Since the preload began. */
  duration_ms: number;
}

/** Builds the activity `markPoolReady`. */
export function markPoolReadyActivity({
  pools,
  paths,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'paths' | 'log'>) {
  return async function markPoolReady({ prepared, engine, duration_ms }: MarkPoolReadyInput): Promise<void> {
    await removeDrainMark(paths, prepared.pool_id);
    const { pid, url, start_ticks: startTicks } = engine;
    pools.ready({ prepared, url, pid, startTicks });
    const { pool_id, replica_id, engine: kind, engine_version, device_mask } = prepared;
    log.info(
      {
        event: 'pool_ready',
        pool_id,
        replica_id,
        engine: kind,
        engine_version,
        device_mask,
        pid,
        url,
        duration_ms,
      },
      'pool ready',
    );
  };
}
