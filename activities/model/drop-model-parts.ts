/** Activity `dropModelParts`: what was gathered of a model that nobody wants any more goes. */
import type { NodeActivityDeps } from '../deps.js';

/** Builds the activity `dropModelParts`. */
export function dropModelPartsActivity({ models }: Pick<NodeActivityDeps, 'models'>) {
  return function dropModelParts({ model_id }: { model_id: string }): Promise<void> {
    return models.folder.drop(model_id);
  };
}
