/** Typed in-memory activities of a node that fetches a model, and of the catalogue: they remember what was asked of them. */
import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type { CatalogActivities } from '../activities/catalog-activities.js';
import type { NodeActivities } from '../activities/index.js';
import { downloadFailure } from '../activities/model/download-failure.js';
import type { ModelFile, ModelPlan, PresentModel, ProvisionInput } from '../contracts/download.js';

/** The activities of a download. */
export type ProvisionSteps = Pick<
  NodeActivities,
  'planModel' | 'fetchModelFile' | 'publishModel' | 'dropModelParts'
> &
  Pick<CatalogActivities, 'recordModel'>;

/** What is fetched. */
export function provisionInput(nodeId: string, modelId: string): ProvisionInput {
  const model_ref = 'hf:org/repo/m.gguf';
  return { node_id: nodeId, correlation_id: 'corr-1', model_id: modelId, model_ref, digest: null };
}

/** A file of 100 bytes. */
export function modelFile(path: string): ModelFile {
  return { path, from: { url: `https://h.example/${path}`, by: null }, size_bytes: 100, sha256: null };
}

/** The model that comes of it. */
export const PRESENT: PresentModel = {
  ...{ model_id: 'm', model_ref: 'hf:org/repo/m.gguf', local_path: '/cache/m', size_bytes: 100 },
  ...{ digest: `sha256:${'a'.repeat(64)}`, quantization: 'Q8_0' },
};

/** An attempt that broke off after so many bytes. */
export function brokenOff(bytes: number) {
  return downloadFailure('DOWNLOAD_FAILED', 'the download broke off', { bytes, total_bytes: 100 });
}

/** Beats until the cancel comes, and says how far it was. */
export function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat({}), 50);
  return new Promise<never>((_, reject) => {
    context.cancellationSignal.addEventListener('abort', () => {
      reject(new CancelledFailure('CANCELLED', [{ bytes: 30, total_bytes: 100 }]));
    });
  }).finally(() => clearInterval(beat));
}

/** A node where every step succeeds, but for those in `changes`; the model has one file. */
export function provisionTwin(changes: Partial<ProvisionSteps> = {}) {
  const calls: string[] = [];
  const plan: ModelPlan = { present: null, files: [modelFile('m.gguf')], is_folder: false };
  const steps: ProvisionSteps = {
    planModel: () => Promise.resolve(plan),
    fetchModelFile: ({ file }) =>
      Promise.resolve({ path: file.path, size_bytes: 100, sha256: 'a'.repeat(64) }),
    publishModel: () => Promise.resolve(PRESENT),
    dropModelParts: () => Promise.resolve(),
    recordModel: () => Promise.resolve(),
    ...changes,
  };
  const activities: ProvisionSteps = {
    planModel: (input) => {
      calls.push('planModel');
      return steps.planModel(input);
    },
    fetchModelFile: (input) => {
      calls.push(`fetchModelFile ${input.file.path}`);
      return steps.fetchModelFile(input);
    },
    publishModel: (input) => {
      calls.push('publishModel');
      return steps.publishModel(input);
    },
    dropModelParts: (input) => {
      calls.push('dropModelParts');
      return steps.dropModelParts(input);
    },
    recordModel: (input) => {
      calls.push('recordModel');
      return steps.recordModel(input);
    },
  };
  return { activities, calls };
}
