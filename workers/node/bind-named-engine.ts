/**
 * A llama-server that the settings name: something else runs it, and this node binds it as if it had been announced
 * (B-CFG-003, B-CFG-020). The announcement goes with the worker, so that a setting that is taken away leaves nothing.
 */
import type { NodePaths } from '../../activities/deps.js';
import { removeFile } from '../../activities/remove-file.js';
import { replicaFiles } from '../../activities/replica-files.js';
import { DroverError } from '../../contracts/errors.js';
import type { Settings } from '../../contracts/settings.js';
import type { Logger } from '../../telemetry/logger.js';
import { StartError } from '../run-process.js';
import type { AnnounceEngine } from './announce-engine.js';

/** What binding works with. */
export interface BindNamedDeps {
  announceEngine: AnnounceEngine;
  paths: NodePaths;
  log: Logger;
}

/**
 * Announces the engine that `DROVER_LLAMACPP_URL` names; nothing without it.
 * @returns takes the announcement back
 * @throws StartError where the settings cannot be meant so
 */
export async function bindNamedEngine(
  settings: Pick<Settings, 'DROVER_LLAMACPP_URL' | 'DROVER_LLAMACPP_POOL' | 'DROVER_LLAMACPP_REPLICA'>,
  { announceEngine, paths, log }: BindNamedDeps,
): Promise<() => Promise<void>> {
  const { DROVER_LLAMACPP_URL: url } = settings;
  if (url === undefined) return () => Promise.resolve();
  const key = { pool_id: settings.DROVER_LLAMACPP_POOL, replica_id: settings.DROVER_LLAMACPP_REPLICA };
  try {
    const { bound } = await announceEngine(key, { url, engine: 'llamacpp' });
    log.info({ event: 'engine_named', ...key, url, bound }, 'the llama-server of the settings is announced');
  } catch (err) {
    if (!(err instanceof DroverError)) throw err;
    throw new StartError(`DROVER_LLAMACPP_URL: ${err.message}`, { cause: err });
  }
  return () => removeFile(replicaFiles(paths, key).handoff);
}
