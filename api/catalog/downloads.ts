/** Models that nodes fetch for the catalogue: who asks, for what, and where it shall be (nodes-and-workers 3). */
import { basename, dirname, isAbsolute } from 'node:path';
import type { RecordModel, StageModel } from '../../activities/catalog-activities.js';
import type { Download, PresentModel } from '../../contracts/download.js';
import { DroverError } from '../../contracts/errors.js';
import { modelId, type ModelEntry } from '../../contracts/model.js';
import { modelIdOf, readReference, sourceOf } from '../../domain/model-source.js';
import type { ModelRecord, Models } from '../../store/models.js';
import type { Logger } from '../../telemetry/logger.js';
import { story } from '../../telemetry/narration.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';
import type { TaskRecords } from '../clients/task-records.js';
import { invalidParams } from '../plugins/invalid-params.js';
import type { RequestContext } from '../request-context.js';
import type { PoolBoard } from '../tasks/pool-board.js';
import { requireTrust } from './catalog.js';
import type { ModelFiles } from './model-files.js';
import type { TrustMode } from '../../contracts/model.js';

/** What downloads work with. */
export interface DownloadDeps {
  records: Pick<TaskRecords, 'downloads'>;
  models: Models;
  files: Pick<ModelFiles, 'pathOf'>;
  board: PoolBoard;
  /** What this deployment asks of every model. */
  trustMode: TrustMode;
  nodes: Pick<NodeLink, 'nodeIds'>;
}

/** What is asked for. */
export interface DownloadOrder {
  model_ref: string;
  node_id?: string | undefined;
  digest?: string | undefined;
  wait_ms: number;
}

/** A model that somebody has put into the model cache. */
export interface Registration {
  model_ref: string;
  local_path: string;
}

/** Downloads, as their routes use them. */
export type Downloads = ReturnType<typeof createDownloads>;

/** Builds them. */
export function createDownloads({ records, models, files, board, trustMode, nodes }: DownloadDeps) {
  const { downloads } = records;

  async function read(id: string): Promise<Download> {
    const found = await downloads.read(id);
    if (found === undefined) throw new DroverError('OPERATION_NOT_FOUND', 'there is no such download');
    return found;
  }

  return {
    read,

    /**
     * Starts a download, or joins the one that runs, and answers how it stands after `wait_ms`.
     * @throws DroverError INVALID_MODEL_REFERENCE; UNTRUSTED_ARTIFACT where more is asked of models than is known of this one;
     *   DOWNLOAD_CONFLICT while the same model is fetched with another digest
     */
    async ask(
      order: DownloadOrder,
      { log, correlationId }: Pick<RequestContext, 'log' | 'correlationId'>,
    ): Promise<Download> {
      const { ref, id, entry } = await resolve(order.model_ref, models);
      const digest = order.digest ?? entry?.digest ?? null;
      if (digest !== null && !digest.startsWith('sha256:')) {
        throw refused(
          'digest',
          'of the model in the catalogue is not a SHA-256, which alone is checked here',
        );
      }
      requireTrust({ ...entry, id, digest, source_url: ref }, [trustMode]);
      const node_id = await nodeFor(order.node_id, { board, nodes }, { correlationId });
      const asked = { node_id, correlation_id: correlationId, model_id: id, model_ref: ref, digest };
      const downloadId = await downloads.start(asked);
      const told = story('orchestratord', 'download', id, 'has a node fetch a model', { model_ref: ref });
      const line = { event: 'download', ...told, model_id: id, node_id, download_id: downloadId };
      log.info(line, 'download asked for');
      await downloads.wait(downloadId, order.wait_ms);
      const now = await read(downloadId);
      if (order.digest !== undefined && now.digest !== null && now.digest !== order.digest) {
        throw new DroverError('DOWNLOAD_CONFLICT', 'the model is being fetched with another digest');
      }
      return now;
    },

    /** Tells a download that runs. @throws DroverError OPERATION_NOT_FOUND; DOWNLOAD_CONFLICT for one that has ended */
    async tell(id: string, what: 'pause' | 'resume' | 'cancel'): Promise<Download> {
      const { status } = await read(id);
      if (status !== 'running' && status !== 'paused') {
        throw new DroverError('DOWNLOAD_CONFLICT', `the download has ended: ${status}`);
      }
      await downloads.tell(id, what);
      return read(id);
    },

    /**
     * Notes a model whose files somebody has put into the model cache (B-MODEL-005..008).
     * @param isLocal - whether the caller is on this machine; others have no paths here (C-167)
     * @throws DroverError INVALID_MODEL_REFERENCE; INVALID_MODEL_PATH
     */
    async register({ model_ref, local_path }: Registration, isLocal: boolean): Promise<ModelEntry> {
      const ref = mustRead(model_ref);
      const id = modelId.safeParse(basename(local_path)).data;
      if (!isAbsolute(local_path)) throw new DroverError('INVALID_MODEL_PATH', 'local_path must be absolute');
      if (!isLocal) throw new DroverError('INVALID_MODEL_PATH', 'a path may be named on this machine alone');
      if (id === undefined || files.pathOf(id) !== local_path || dirname(local_path) === local_path) {
        const message = 'local_path must be a file or folder of the model cache (DROVER_MODEL_CACHE_DIR)';
        throw new DroverError('INVALID_MODEL_PATH', message);
      }
      const before = await models.get(id);
      requireTrust({ ...before, id, source_url: ref }, [trustMode]);
      return { ...(await models.save({ id, source_url: ref })), local_path };
    },
  };
}

/** Has models fetched for others' sake: a reload, which waits as long as it takes. */
export function createStageModel(
  downloads: Pick<Downloads, 'ask' | 'read'>,
  records: Pick<TaskRecords, 'downloads'>,
  log: Logger,
): StageModel {
  return async ({ node_id, model_ref, correlation_id: correlationId }, signal) => {
    const { download_id } = await downloads.ask({ model_ref, node_id, wait_ms: 0 }, { log, correlationId });
    for (;;) {
      signal.throwIfAborted();
      await records.downloads.wait(download_id, STAGE_LOOK_MS);
      const { status, local_path, error } = await downloads.read(download_id);
      if (local_path !== null) return { local_path };
      if (status === 'cancelled')
        return { code: 'CANCELLED', message: 'the download of the model was cancelled' };
      if (error !== null) return error;
    }
  };
}

/** A wait that nobody needs any more ends after so long. */
const STAGE_LOOK_MS = 1_000;

/** Notes what a node has fetched and checked: its digest, its size, and that it is what it should be. */
export function createRecordModel(models: Models): RecordModel {
  return async ({ model_id: id, model_ref, digest, size_bytes }: PresentModel): Promise<void> => {
    const before = await models.get(id);
    const manifests = digest === null ? [] : [{ digest, size_bytes }];
    const source_url = before?.source_url ?? model_ref;
    const saved = await models.save({ id, digest, source_url, manifests });
    if (digest !== null) await models.setVerification(saved, { result: 'pass', reason: 'match', digest });
  };
}

/** A reference, or a model of the catalogue that says where it comes from. */
async function resolve(
  given: string,
  models: Models,
): Promise<{ ref: string; id: string; entry: ModelRecord | undefined }> {
  const named = modelId.safeParse(given).success ? await models.get(given) : undefined;
  if (named !== undefined) {
    if (named.source_url !== null) return { ref: mustRead(named.source_url), id: named.id, entry: named };
    throw new DroverError(
      'INVALID_MODEL_REFERENCE',
      'the catalogue does not say where this model comes from',
    );
  }
  const ref = mustRead(given);
  const entry = (await models.list()).find(({ source_url }) => source_url === ref);
  return { ref, id: entry?.id ?? modelIdOf(ref), entry };
}

/** @throws DroverError INVALID_MODEL_REFERENCE, which does not repeat what was given (B-VAL-024) */
function mustRead(given: string): string {
  const ref = readReference(given);
  if (ref !== undefined && sourceOf(ref) !== undefined) return ref;
  const forms =
    'hf:org/repo[/file], https://…, s3://bucket/key, file:/… or the id of a model of the catalogue';
  throw new DroverError('INVALID_MODEL_REFERENCE', `model_ref must be ${forms}`);
}

/** The node that was asked for; else the one that answers and has the fewest pools. */
async function nodeFor(
  asked: string | undefined,
  { board, nodes }: Pick<DownloadDeps, 'board' | 'nodes'>,
  call: CallContext,
): Promise<string> {
  if (asked !== undefined) {
    if (nodes.nodeIds.includes(asked)) return asked;
    throw refused('node_id', 'is no node of this installation');
  }
  const there = (await board.reports(call)).filter(({ pools }) => pools !== undefined);
  const [roomiest] = there.toSorted((a, b) => a.lastPools.length - b.lastPools.length);
  if (roomiest !== undefined) return roomiest.nodeId;
  throw new DroverError('POOL_UNAVAILABLE', 'no node can be reached', { policy_label: 'retry' });
}

function refused(field: string, message: string): DroverError {
  return invalidParams([{ path: [field], code: 'custom', message }]);
}
