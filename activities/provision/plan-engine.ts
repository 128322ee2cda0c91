/** Activity `planEngine`: is the engine there, and if not, what has to be done (B-PREFLIGHT-020, B-PREFLIGHT-021). */
import type { EngineOrder, EnginePlan } from '../../contracts/provisioning.js';
import { PACKAGE_MANAGER, planTools, stepsOf } from '../../domain/engine-provision.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import { onPath } from '../process/on-path.js';
import { engineFolder, engineIdOf } from './engine-folder.js';
import { inspectEngine, isInstalled, missingTools, recorded } from './find-engine.js';

type Deps = Pick<NodeActivityDeps, 'engines' | 'env' | 'now'>;

/** Builds the activity `planEngine`. */
export function planEngineActivity(deps: Deps) {
  const { engines, env } = deps;
  /**
   * Looks, and changes nothing.
   * @throws ApplicationFailure `ProvisionFailed` naming every tool that is missing, unless the node may install them
   */
  return async function planEngine(order: EngineOrder): Promise<EnginePlan> {
    const { provisioning: wish, pool_id } = order;
    const engine_id = engineIdOf(order);
    const folder = engineFolder(engines.dir, engine_id);
    if (wish.mode === 'package') {
      if (await isInstalled(wish, env())) {
        const { id, artifacts, digest, version } = await inspectEngine({ ...order, engine_id }, folder, deps);
        return { engine_id, present: { id, path: artifacts[0] ?? '', digest, version }, steps: [] };
      }
      if (!engines.mayInstall) {
        const message = `the package ${wish.package} is not installed on the node, which may not install it (DROVER_NODE_PACKAGE_INSTALL)`;
        const cause = { cause_code: 'PACKAGE_NOT_INSTALLED', package: wish.package };
        throw poolFailure('ProvisionFailed', message, { pool_id, cause });
      }
    }
    // What is installed may be upgraded or removed, whatever a record says.
    const present = wish.mode === 'package' ? undefined : await recorded(folder);
    if (present !== undefined) return { engine_id, present, steps: [] };
    const mayInstall = engines.mayInstall && (await onPath(PACKAGE_MANAGER, env())) !== undefined;
    const missing = await missingTools(order, env());
    const tools = planTools(missing, mayInstall);
    if (!tools.ok) {
      const cause = { cause_code: 'TOOLS_MISSING', missing };
      throw poolFailure('ProvisionFailed', tools.problem, { pool_id, cause });
    }
    const first = tools.packages.length > 0 ? (['package-install'] as const) : [];
    return { engine_id, present: null, steps: [...first, ...stepsOf(wish)] };
  };
}
