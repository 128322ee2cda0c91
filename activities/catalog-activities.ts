/** Activities on the catalogue: any API process does them, for it has the database and the model cache. */
import type { PresentModel } from '../contracts/download.js';
import type { PurgedModel } from '../contracts/purge.js';
import { ApplicationFailure } from '@temporalio/common';
import { asFailure } from './as-failure.js';
import { whyStopped } from './shutting-down.js';
import { heartbeating } from './engine/heartbeating.js';

/** Which model, and whether it goes even while a pool serves it. */
export interface RemoveModelOrder {
  model_id: string;
  force: boolean;
  correlation_id: string;
}

/** Removes a model, its files first; again finds nothing left. */
export type RemoveModel = (order: RemoveModelOrder) => Promise<PurgedModel>;

/** Notes a model that a node has fetched; again changes nothing. */
export type RecordModel = (model: PresentModel) => Promise<void>;

/** Which model a node shall have, for whose sake. */
export interface StageModelOrder {
  node_id: string;
  model_ref: string;
  correlation_id: string;
}

/** Where a model stands, or why it does not. */
export type StagedModel = { local_path: string } | { code: string; message: string };

/** Has a model fetched, or waits with others for it; `signal` ends the wait, and the download goes on. */
export type StageModel = (order: StageModelOrder, signal: AbortSignal) => Promise<StagedModel>;

/** What is done on the catalogue. */
export interface CatalogDeeds {
  removeModel: RemoveModel;
  recordModel: RecordModel;
  stageModel: StageModel;
}

/** Builds the activities. */
export function createCatalogActivities({ removeModel, recordModel, stageModel }: CatalogDeeds) {
  return {
    /**
     * Waits until a model is on the disk of a node, by the same download as whoever else wants it (B-RELOAD-002).
     * @throws ApplicationFailure with the code of a download that failed; asking again is the operator's
     */
    async stageModel(order: StageModelOrder): Promise<{ local_path: string }> {
      const staged = await asFailure(() =>
        heartbeating((signal) =>
          stageModel(order, signal).catch((err: unknown) => {
            throw signal.aborted ? whyStopped(signal.reason) : err;
          }),
        ),
      );
      if ('local_path' in staged) return staged;
      throw ApplicationFailure.nonRetryable(staged.message, staged.code);
    },

    /** Notes a model with its digest and size, which the node has checked (B-MODEL-004). */
    recordModel: (model: PresentModel): Promise<void> => asFailure(() => recordModel(model)),

    /** Removes a model with its files, unless pools serve it (B-CP-043). */
    removeModel: (order: RemoveModelOrder): Promise<PurgedModel> => asFailure(() => removeModel(order)),
  };
}

/** The activities on the catalogue, as workflows see them. */
export type CatalogActivities = ReturnType<typeof createCatalogActivities>;
