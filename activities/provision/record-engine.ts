/** Activity `recordEngine`: what was made is an engine from here on, for every pool that wants the same (B-PROV-005). */
import type { EngineOrder } from '../../contracts/provisioning.js';
import type { ProvidedEngine } from '../../domain/engine-provision.js';
import type { NodeActivityDeps } from '../deps.js';
import { engineFolder } from './engine-folder.js';
import { inspectEngine } from './find-engine.js';

/** Builds the activity `recordEngine`. */
export function recordEngineActivity(
  deps: Pick<NodeActivityDeps, 'engines' | 'engineUser' | 'env' | 'now' | 'log'>,
) {
  /** @throws ApplicationFailure `ProvisionFailed` when its program is not there, or is none */
  return async function recordEngine(order: EngineOrder & { engine_id: string }): Promise<ProvidedEngine> {
    const folder = engineFolder(deps.engines.dir, order.engine_id);
    await folder.prepare(deps.engineUser);
    const record = await inspectEngine(order, folder, deps);
    await folder.write(record);
    const { id, version, digest, artifacts } = record;
    const { pool_id } = order;
    deps.log.info(
      { event: 'engine_provided', pool_id, engine_catalog_id: id, version, digest },
      'engine is there',
    );
    return { id, version, digest, path: artifacts[0] ?? '' };
  };
}
