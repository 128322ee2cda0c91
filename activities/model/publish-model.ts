/** Activity `publishModel`: what was gathered becomes the model that engines find. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { FetchedFile, PresentModel } from '../../contracts/download.js';
import { story } from '../../telemetry/narration.js';
import type { NodeActivityDeps } from '../deps.js';
import { readGgufHeader } from '../engine/gguf-header.js';
import { asDownloadFailure } from './as-download-failure.js';
import { downloadFailure } from './download-failure.js';
import { Context } from '@temporalio/activity';

/** What was gathered of which model. */
export interface PublishModelInput {
  model_id: string;
  model_ref: string;
  is_folder: boolean;
  files: FetchedFile[];
  /** What the whole must be; null where nobody has said. */
  digest: string | null;
}

/** Builds the activity `publishModel`. */
export function publishModelActivity({ models, now, log }: Pick<NodeActivityDeps, 'models' | 'now' | 'log'>) {
  const { folder } = models;

  async function publish(input: PublishModelInput): Promise<PresentModel> {
    const { model_id, model_ref, is_folder, files } = input;
    const gathering = folder.gatheringOf(model_id);
    const gathered = is_folder ? gathering : join(gathering, files[0]?.path ?? '');
    const model: PresentModel = {
      ...{ model_id, model_ref, local_path: folder.pathOf(model_id), digest: digestOf(input) },
      size_bytes: files.reduce((sum, { size_bytes }) => sum + size_bytes, 0),
      quantization: null,
    };
    if (input.digest !== null && input.digest !== model.digest) {
      await folder.drop(model_id);
      const message = `the model has the digest ${model.digest}, and should have ${input.digest}`;
      throw downloadFailure('MODEL_CORRUPTED', message);
    }
    const before = await folder.find(model_id);
    // The answer of an earlier try was lost.
    if (before?.digest === model.digest) return before;
    if (!is_folder && model_id.endsWith('.gguf'))
      model.quantization = await quantizationOf(gathered, folder, model_id);
    await folder.publish(model, gathered, now());
    const { size_bytes, digest } = model;
    const human = `Has fetched a model of ${Math.ceil(size_bytes / 1_048_576)} MiB, and checked it`;
    const told = story('pool-managerd', 'download', model_id, human, { model_ref });
    log.info({ event: 'model_fetched', ...told, model_id, size_bytes, digest }, 'a model is there');
    return model;
  }

  /** @throws ApplicationFailure `MODEL_CORRUPTED` for a `.gguf` that is none; `DOWNLOAD_FAILED` where the cache cannot be written */
  return async function publishModel(input: PublishModelInput): Promise<PresentModel> {
    return publish(input).catch((err: unknown) => {
      throw asDownloadFailure(err, { signal: Context.current().cancellationSignal, bytes: 0 });
    });
  };
}

async function quantizationOf(
  path: string,
  folder: NodeActivityDeps['models']['folder'],
  modelId: string,
): Promise<string | null> {
  const header = await readGgufHeader(path);
  if (header !== undefined) return header.quantization ?? null;
  await folder.drop(modelId);
  throw downloadFailure('MODEL_CORRUPTED', 'what came is not a GGUF file');
}

/** Of a folder that of the lines `<hex>  <path>`, sorted by path, as the catalogue's verification computes it. */
function digestOf({ is_folder, files }: PublishModelInput): string {
  const [only] = files;
  if (!is_folder && only !== undefined) return `sha256:${only.sha256}`;
  const lines = files.map(({ path, sha256 }) => ({ path, line: `${sha256}  ${path}\n` }));
  lines.sort((a, b) => (a.path < b.path ? -1 : 1));
  return `sha256:${createHash('sha256')
    .update(lines.map(({ line }) => line).join(''))
    .digest('hex')}`;
}
