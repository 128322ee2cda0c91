/** Activities on the catalogue: any API process does them, for it has the database and the model cache. */
import type { PurgedModel } from '../contracts/purge.js';
import { asFailure } from './as-failure.js';

/** Which model, and whether it goes even while a pool serves it. */
export interface RemoveModelOrder {
  model_id: string;
  force: boolean;
  correlation_id: string;
}

/** Removes a model, its files first; again finds nothing left. */
export type RemoveModel = (order: RemoveModelOrder) => Promise<PurgedModel>;

/** Builds the activities. */
export function createCatalogActivities(removeModel: RemoveModel) {
  return {
    /** Removes a model with its files, unless pools serve it (B-CP-043). */
    removeModel: (order: RemoveModelOrder): Promise<PurgedModel> => asFailure(() => removeModel(order)),
  };
}

/** The activities on the catalogue, as workflows see them. */
export type CatalogActivities = ReturnType<typeof createCatalogActivities>;
