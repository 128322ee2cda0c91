/**
 * A task for a model of the catalogue that no pool serves: the model gets a pool of its own, asleep, and the task is placed
 * there and wakes it. So `drover pull` is all that serving a model takes.
 */
import { DroverError } from '../../contracts/errors.js';
import { launchOf, poolEntry, type EmbeddedProgram } from '../../contracts/pool-entry.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import { namesOfModel, servesModel } from '../../domain/model-ref.js';
import { poolOfModel } from '../../domain/pulled-model.js';
import type { Models } from '../../store/models.js';
import type { ModelFiles } from '../catalog/model-files.js';
import type { RequestContext } from '../request-context.js';
import type { AdmissionDeps } from './admit-task.js';
import type { PoolBoard } from './pool-board.js';
import type { PreloadPool } from './preload.js';

type Place = AdmissionDeps['place'];

/** What it works with. */
export interface PlacePulledDeps {
  place: Place;
  /** What its engine runs on; `off`: pools that are on record are all there are. */
  backend: PreparedEngine['backend'] | 'off';
  models: Pick<Models, 'list'>;
  files: Pick<ModelFiles, 'pathOf'>;
  board: PoolBoard;
  preloadPool: PreloadPool;
  embedded: EmbeddedProgram;
}

/** Nothing is loaded: the node only keeps the launch. */
const KEEP_LIMIT_MS = 10_000;

/** Places a task as `place` does, and gives its model a pool where that is all that is missing. @throws DroverError as both do */
export function createPlacePulled(deps: PlacePulledDeps): Place {
  const { place, backend } = deps;
  if (backend === 'off') return place;
  return async (request, context) => {
    try {
      return await place(request, context);
    } catch (err) {
      const isUnserved = err instanceof DroverError && err.code === 'MODEL_NOT_FOUND';
      if (!isUnserved || !(await givePool({ ...deps, backend }, request.model_ref, context))) throw err;
      return place(request, context);
    }
  };
}

/** True when a pool serves the model now. */
async function givePool(
  deps: PlacePulledDeps & { backend: PreparedEngine['backend'] },
  modelRef: string,
  context: RequestContext,
): Promise<boolean> {
  const { models, files, board, preloadPool, embedded, backend } = deps;
  const named = (await models.list()).find(({ id, lifecycle, source_url }) => {
    const names = namesOfModel({ id, local_path: files.pathOf(id), source_url });
    return lifecycle === 'Active' && names.includes(modelRef);
  });
  const wanted = named === undefined ? undefined : poolOfModel(named);
  if (wanted === undefined) return false;
  const pools = (await board.reports(context)).flatMap(({ lastPools }) => lastPools);
  const there = pools.find(({ pool_id }) => pool_id === wanted.id);
  // Somebody else's pool keeps its name; one that another task has asked for meanwhile is ours.
  if (there !== undefined) {
    const { model_ref, model_name } = there;
    if (model_ref === null) return false;
    return servesModel({ poolId: wanted.id, modelRef: model_ref, modelName: model_name }, modelRef);
  }
  const entry = poolEntry.parse({ ...wanted, backend, on_demand: true });
  // It is in no configuration file, and no change of one removes it.
  const { config_digest: _none, ...prepared } = launchOf(entry, embedded);
  const { health_timeout_ms: healthTimeoutMs, supervision } = entry;
  context.log.info({ event: 'pool_for_model', pool_id: wanted.id }, 'a model of the catalogue gets a pool');
  const answer = await preloadPool(
    { prepared, waitMs: KEEP_LIMIT_MS, healthTimeoutMs, supervision, asleep: true },
    context,
  );
  if ('result' in answer) return true;
  throw new DroverError('POOL_UNREADY', 'the pool of the model is being set up', {
    ...{ pool_id: wanted.id, retry_after_ms: 1_000, policy_label: 'retry' },
  });
}
