/**
 * Where models stand on a node. The cache has one file or folder a model, which engines read; beside them `.drover` holds
 * what is being fetched, a folder a node and model, and a record of each model that is whole. A cache may be shared by
 * several nodes: what one fetches is nobody else's to touch.
 */
import { appendFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { presentModel, type PresentModel } from '../../contracts/download.js';
import { parseJson } from '../../domain/json.js';
import { writeAtomically } from '../write-atomically.js';

/** Engines may run as another user: they read what they find. */
const READABLE = 0o644;

/** Folders of a node's models. */
export interface ModelFolder {
  /** Where the model is, or would be. */
  pathOf(modelId: string): string;
  /** Where its files are gathered. */
  gatheringOf(modelId: string): string;
  /** The model, if it is there as it was published; one whose file is gone or of another size is not (B-MODEL-003). */
  find(modelId: string): Promise<PresentModel | undefined>;
  /** Puts what was gathered in its place, at once and whole, and notes where it came from (B-MODEL-023). */
  publish(model: PresentModel, gathered: string, tsMs: number): Promise<void>;
  /** Removes what was gathered of a model. */
  drop(modelId: string): Promise<void>;
}

/** Where they are. */
export interface ModelFolderOptions {
  cacheDir: string;
  /** JSON lines, one a model that was fetched. */
  provenanceFile: string;
  nodeId: string;
}

/** The models below `cacheDir`. */
export function modelFolder({ cacheDir, provenanceFile, nodeId }: ModelFolderOptions): ModelFolder {
  const ours = join(cacheDir, '.drover');
  const pathOf = (modelId: string) => join(cacheDir, modelId);
  const gatheringOf = (modelId: string) => join(ours, 'parts', nodeId, modelId);
  const recordOf = (modelId: string) => join(ours, 'records', `${modelId}.json`);

  async function note({ model_id, model_ref, local_path, size_bytes, digest }: PresentModel, ts_ms: number) {
    const line = {
      ts_ms,
      model_id,
      path: local_path,
      size_bytes,
      cfg: { model_ref, digest, node_id: nodeId },
    };
    await mkdir(dirname(provenanceFile), { recursive: true });
    await appendFile(provenanceFile, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }

  return {
    pathOf,
    gatheringOf,
    async find(modelId) {
      const text = await readFile(recordOf(modelId), 'utf8').catch(() => undefined);
      const record = text === undefined ? undefined : presentModel.safeParse(parseJson(text)).data;
      const found = await stat(pathOf(modelId)).catch(() => undefined);
      if (record === undefined || found === undefined) return undefined;
      if (!found.isDirectory() && found.size !== record.size_bytes) return undefined;
      return { ...record, local_path: pathOf(modelId) };
    },
    async publish(model, gathered, tsMs) {
      const record = recordOf(model.model_id);
      await mkdir(dirname(record), { recursive: true });
      await rm(record, { force: true });
      // A folder takes no folder's place; a file would, but a model may have been a folder before.
      await rm(model.local_path, { recursive: true, force: true });
      await rename(gathered, model.local_path);
      await writeAtomically(record, JSON.stringify(model), READABLE);
      await note(model, tsMs);
      await rm(gatheringOf(model.model_id), { recursive: true, force: true });
    },
    drop: (modelId) => rm(gatheringOf(modelId), { recursive: true, force: true }),
  };
}
