/** Downloads on record in Temporal: what their workflow tells, and how far the node's last beat says the file is. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  loadDataConverter,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import {
  fetchBeat,
  type Download,
  type FetchBeat,
  type ProvisionResult,
  type ProvisionView,
} from '../../contracts/download.js';
import { etaMs } from '../../domain/download.js';
import { readDownloadWorkflowId } from '../../domain/identity.js';
import { pauseDownloadSignal, provisionQuery, resumeDownloadSignal } from '../../workflows/messages.js';
import type { provisionModel } from '../../workflows/provision-model.js';
import * as attribute from '../../workflows/search-attributes.js';
import type { DownloadRecords } from './download-records.js';
import type { OperationOutcome } from './task-records.js';
import { DOWNLOAD, provisionModelOptions, temporalAway } from './workflow-forms.js';

/** How they reach Temporal, within the limits that all calls have. */
export interface DownloadLink {
  workflow: Client['workflow'];
  dataConverter: DataConverter;
  /** The answer; undefined for an unknown workflow. */
  asked: <T>(call: () => Promise<T>) => Promise<T | undefined>;
  wait: (id: string, waitMs: number, form: typeof DOWNLOAD) => Promise<OperationOutcome<ProvisionResult>>;
}

/** Downloads over a client. */
export function temporalDownloads({ workflow, dataConverter, asked, wait }: DownloadLink): DownloadRecords {
  const converter = loadDataConverter(dataConverter);

  /** What the node said last of the file that it fetches now. */
  async function beatOf({ raw }: WorkflowExecutionDescription): Promise<FetchBeat | undefined> {
    const fetching = raw.pendingActivities?.find(
      ({ activityType }) => activityType?.name === 'fetchModelFile',
    );
    const [beat] = await decodeArrayFromPayloads(converter, fetching?.heartbeatDetails?.payloads);
    return fetchBeat.safeParse(beat).data;
  }

  return {
    async start(input) {
      const handle = await asked(() =>
        workflow.start<typeof provisionModel>('provisionModel', provisionModelOptions(input)),
      );
      if (handle === undefined) throw temporalAway(undefined);
      return handle.workflowId;
    },

    async wait(id, waitMs) {
      if (waitMs > 0) await wait(id, waitMs, DOWNLOAD);
    },

    async read(id) {
      if (readDownloadWorkflowId(id) === undefined) return undefined;
      const described = await asked(() => workflow.getHandle(id).describe());
      if (described === undefined) return undefined;
      const isRunning = described.status.name === 'RUNNING';
      const run = workflow.getHandle(id, described.runId);
      const [view, beat, outcome] = await Promise.all([
        // A control worker tells it, which may be away: the rest can be told without.
        asked(() => run.query(provisionQuery)).catch(() => undefined),
        isRunning ? beatOf(described) : undefined,
        isRunning ? undefined : wait(id, RESULT_WAIT_MS, DOWNLOAD),
      ]);
      return downloadOf({ described, view, beat, outcome });
    },

    async tell(id, what) {
      const handle = workflow.getHandle(id);
      await asked(async () => {
        if (what === 'cancel') await handle.cancel();
        else await handle.signal(what === 'pause' ? pauseDownloadSignal : resumeDownloadSignal);
      });
    },
  };
}

/** The end of a run that has ended is on record. */
const RESULT_WAIT_MS = 3_000;

interface ReadRun {
  described: WorkflowExecutionDescription;
  view: ProvisionView | undefined;
  beat: FetchBeat | undefined;
  outcome: OperationOutcome<ProvisionResult> | undefined;
}

function downloadOf({ described, view, beat, outcome }: ReadRun): Download {
  const { workflowId, typedSearchAttributes: attributes } = described;
  const { nodeId = '', modelId = '' } = readDownloadWorkflowId(workflowId) ?? {};
  const done = outcome?.kind === 'done' ? outcome.result : undefined;
  const failed = outcome?.kind === 'failed' ? outcome : undefined;
  const bytes = done?.size_bytes ?? (view?.bytes_whole ?? 0) + (beat?.bytes ?? view?.bytes_part ?? 0);
  const total =
    done?.size_bytes ?? view?.bytes_total ?? (view?.files_total === 1 ? beat?.total_bytes : null) ?? null;
  const bytes_per_second = view?.state === 'paused' ? 0 : (beat?.bytes_per_second ?? 0);
  return {
    download_id: workflowId,
    model_id: modelId,
    model_ref: view?.model_ref ?? attributes.get(attribute.ModelRef) ?? '',
    node_id: nodeId,
    status: statusOf(described.status.name, view),
    state: outcome === undefined ? (view?.state ?? null) : null,
    bytes_downloaded: bytes,
    bytes_total: total,
    bytes_per_second,
    eta_ms: outcome === undefined ? etaMs(bytes, total, bytes_per_second) : null,
    files_done: view?.files_done ?? 0,
    files_total: view?.files_total ?? 0,
    attempt: view?.attempt ?? 1,
    last_error: view?.last_error ?? null,
    local_path: done?.local_path ?? null,
    digest: done?.digest ?? view?.digest ?? null,
    error: failed === undefined ? null : { code: failed.code, message: failed.message },
  };
}

function statusOf(temporal: string, view: ProvisionView | undefined): Download['status'] {
  if (temporal === 'RUNNING') return view?.state === 'paused' ? 'paused' : 'running';
  if (temporal === 'COMPLETED') return 'completed';
  return temporal === 'CANCELLED' ? 'cancelled' : 'failed';
}
