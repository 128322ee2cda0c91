/** Removal of a model with its files: not while pools serve it (B-CAT-043, B-CP-043), and only in the model cache (B-CP-044). */
import { DroverError } from '../../contracts/errors.js';
import type { PurgedModel } from '../../contracts/purge.js';
import { namesOfModel } from '../../domain/model-ref.js';
import type { ModelRecord, Models } from '../../store/models.js';
import type { CallContext } from '../clients/node-link.js';
import type { PoolBoard } from '../tasks/pool-board.js';
import type { ModelFiles } from './model-files.js';

/** What removal works with. */
export interface ModelRemovalDeps {
  models: Pick<Models, 'get' | 'remove'>;
  files: Pick<ModelFiles, 'pathOf' | 'remove'>;
  board: PoolBoard;
  now: () => number;
}

/** Removes models. */
export type ModelRemoval = ReturnType<typeof createModelRemoval>;

/** Builds removal. */
export function createModelRemoval({ models, files, board, now }: ModelRemovalDeps) {
  /** Pools that have an engine with this model, as the nodes last said it, or no earlier than that. */
  async function poolsServing(
    model: Pick<ModelRecord, 'id' | 'source_url'>,
    call: CallContext,
    notBeforeMs?: number,
  ): Promise<string[]> {
    const names = namesOfModel({ ...model, local_path: files.pathOf(model.id) });
    const reports = await board.reports(call, notBeforeMs);
    const serving = reports
      .flatMap(({ lastPools }) => lastPools)
      .filter(({ state }) => state !== 'offline' && state !== 'uninitialized')
      .filter(({ model_ref, model_name }) =>
        [model_ref, model_name].some((name) => names.includes(name ?? '')),
      );
    return [...new Set(serving.map(({ pool_id }) => pool_id))].sort();
  }

  /** Files first: what is left of a removal that broke off is found again. */
  async function remove(id: string): Promise<void> {
    await files.remove(id);
    await models.remove(id);
  }

  return {
    poolsServing,
    remove,

    /**
     * Removes a model for a purge, and says what became of it.
     * @param force - it goes even while pools serve it, which then have a file that nobody else finds
     */
    async purge(model_id: string, force: boolean, call: CallContext): Promise<PurgedModel> {
      const model = await models.get(model_id);
      if (model === undefined) return { model_id, outcome: 'not_found', pools: [] };
      // Asked now: the purge's own pool has only just gone off.
      const pools = await poolsServing(model, call, now());
      if (pools.length > 0 && !force) return { model_id, outcome: 'in_use', pools };
      try {
        await remove(model_id);
      } catch (err) {
        if (!(err instanceof DroverError) || err.code !== 'INVALID_PARAMS') throw err;
        return { model_id, outcome: 'outside_cache', pools };
      }
      return { model_id, outcome: 'removed', pools };
    },
  };
}
