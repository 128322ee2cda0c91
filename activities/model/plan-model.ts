/** Activity `planModel`: is the model there, and if not, which files must be fetched. */
import { stat } from 'node:fs/promises';
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { ModelFile, ModelPlan, PresentModel, ProvisionInput } from '../../contracts/download.js';
import {
  HF_BRANCH,
  hfFileUrl,
  hfRepoUrl,
  isAllowedSource,
  isInnerPath,
  sourceOf,
  type ModelSource,
} from '../../domain/model-source.js';
import type { NodeActivityDeps } from '../deps.js';
import { asDownloadFailure } from './as-download-failure.js';
import { downloadFailure } from './download-failure.js';
import { fetchJson } from './http-origin.js';

/** The list of a repository comes in a second, or not at all. */
const LIST_TIMEOUT_MS = 15_000;
/** Large repositories have some hundred; each is an activity. */
const MOST_FILES = 1_000;

/** What Hugging Face says of a repository, as far as it is used. */
const repository = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.int().min(0).optional(),
      lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }).nullish(),
    }),
  ),
});

/** Builds the activity `planModel`. */
export function planModelActivity({ models }: Pick<NodeActivityDeps, 'models'>) {
  /**
   * @throws ApplicationFailure `INVALID_MODEL_REFERENCE` for what cannot be fetched, `MODEL_NOT_FOUND`, `MODEL_ACCESS_DENIED`,
   *   `DOWNLOAD_FAILED`
   */
  return async function planModel(input: ProvisionInput): Promise<ModelPlan> {
    const { model_id, model_ref, digest } = input;
    const source = sourceOf(model_ref);
    if (source === undefined) {
      const message = 'the reference is none that a node can fetch: hf:, https:, s3: or file:/…';
      throw downloadFailure('INVALID_MODEL_REFERENCE', message);
    }
    if (source.kind === 'file')
      return { present: await localModel(input, source.path), files: [], is_folder: false };
    const present = await models.folder.find(model_id);
    if (present !== undefined && (digest === null || digest === present.digest)) {
      return { present, files: [], is_folder: false };
    }
    if (!isAllowedSource(source, models.allowedSources)) {
      const message =
        models.allowedSources?.length === 0
          ? 'this installation fetches no models'
          : 'this installation fetches no models from there';
      throw downloadFailure('MODEL_ACCESS_DENIED', message);
    }
    if (source.kind === 'hf' && source.path === null) {
      return { present: null, files: await filesOf(source.repo, models), is_folder: true };
    }
    const file = { path: model_id, from: placeOf(source, models), size_bytes: null, sha256: hexOf(digest) };
    return { present: null, files: [file], is_folder: false };
  };
}

function placeOf(source: ModelSource, { hfEndpoint }: NodeActivityDeps['models']): ModelFile['from'] {
  if (source.kind === 's3') return { bucket: source.bucket, key: source.key };
  if (source.kind === 'https') return { url: source.url, by: null };
  if (source.kind === 'hf' && source.path !== null) {
    return { url: hfFileUrl(hfEndpoint, source.repo, HF_BRANCH, source.path), by: 'hf' };
  }
  throw new RangeError('a source of one file has a place');
}

/** All files of one commit: what is pushed meanwhile is no part of it. */
async function filesOf(repo: string, models: NodeActivityDeps['models']): Promise<ModelFile[]> {
  const { hfEndpoint, hfToken: token } = models;
  const { cancellationSignal } = Context.current();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), LIST_TIMEOUT_MS);
  const signal = AbortSignal.any([cancellationSignal, late.signal]);
  const asked = { url: hfRepoUrl(hfEndpoint, repo), token, by: 'hf' as const, trusted: [hfEndpoint] };
  const answer = await fetchJson(asked, signal)
    .catch((err: unknown) => {
      throw asDownloadFailure(err, { signal: cancellationSignal, bytes: 0 });
    })
    .finally(() => clearTimeout(timer));
  const { sha, siblings } = readRepository(answer);
  return siblings.map(({ rfilename, size, lfs }) => ({
    path: rfilename,
    from: { url: hfFileUrl(hfEndpoint, repo, sha, rfilename), by: 'hf' as const },
    size_bytes: size ?? null,
    sha256: lfs?.sha256 ?? null,
  }));
}

function readRepository(answer: unknown): z.infer<typeof repository> {
  const read = repository.safeParse(answer);
  const refuse = (why: string) => downloadFailure('DOWNLOAD_FAILED', why, { passing: false });
  if (!read.success) throw refuse('the list of the repository cannot be read');
  const { siblings } = read.data;
  if (siblings.length === 0 || siblings.length > MOST_FILES) {
    throw refuse(`the repository has ${siblings.length} files, and may have 1 to ${MOST_FILES}`);
  }
  if (!siblings.every(({ rfilename }) => isInnerPath(rfilename))) {
    throw refuse('the repository has a file whose name leads out of its folder');
  }
  return read.data;
}

/** A file of the operator's own: it is where it is. */
async function localModel({ model_id, model_ref }: ProvisionInput, path: string): Promise<PresentModel> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw downloadFailure('MODEL_NOT_FOUND', 'there is no such file on the node');
  return { model_id, model_ref, local_path: path, size_bytes: found.size, digest: null, quantization: null };
}

function hexOf(digest: string | null): string | null {
  return digest?.slice('sha256:'.length) ?? null;
}
