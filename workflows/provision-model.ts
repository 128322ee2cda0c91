/**
 * `provisionModel`: brings a model onto a node's disk (docs/decisions/0010). The API starts it under the id `model:<node>:<model>`, so that all who
 * want a model on a node meet in one run. It promises the whole model, checked, in the node's model cache and in the
 * catalogue; or that nothing has changed there. What was fetched of it outlives workers, pauses and failures, and whoever
 * asks again goes on from it; only a cancel, and a disk that is full, throw it away. It ends with a {@link ProvisionResult},
 * failed with the type of what went wrong, or cancelled.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  sleep,
  TimeoutFailure,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type {
  FetchedFile,
  ModelFile,
  PresentModel,
  ProvisionInput,
  ProvisionResult,
  ProvisionView,
} from '../contracts/download.js';
import { isDownloadFailure, pauseBeforeNext } from '../domain/download.js';
import { indexedRef, mustBeFetched, shownRef } from '../domain/model-source.js';
import { pauseDownloadSignal, provisionQuery, resumeDownloadSignal } from './messages.js';
import { onNode } from './parts/activities.js';
import { onCatalog } from './parts/catalog-activities.js';
import { CorrelationId, ModelRef, NodeId } from './search-attributes.js';

/** One run: what was asked, where it stands, what a pause would end. */
interface Run {
  input: ProvisionInput;
  node: ReturnType<typeof onNode>;
  view: ProvisionView;
  paused: boolean;
  fetching: CancellationScope | undefined;
}

/** What a failed attempt tells of itself. */
interface AttemptFacts {
  bytes: number;
  total_bytes: number | null;
  passing: boolean;
  retry_after_ms: number | null;
}

/** Provisions one model; see the module. */
export async function provisionModel(input: ProvisionInput): Promise<ProvisionResult> {
  const run = begin(input);
  try {
    const { model, fetched } = await provide(run);
    // A file of the operator's own is where it is; the catalogue has what stands in the cache.
    if (mustBeFetched(input.model_ref)) await onCatalog('note the model').recordModel(model);
    setCurrentDetails(`there: ${model.local_path}`);
    return { ...model, fetched };
  } catch (err) {
    const isCancelled = isCancellation(err);
    if (isCancelled || explain(err, input).type === 'DISK_FULL') await throwAway(run);
    if (isCancelled) throw err;
    throw provisionFailure(err, input);
  }
}

function begin(input: ProvisionInput): Run {
  const { node_id, model_id, digest } = input;
  const model_ref = shownRef(input.model_ref);
  const view: ProvisionView = {
    ...{ state: 'planning', model_id, model_ref, node_id, digest, files_done: 0, files_total: 0 },
    ...{ bytes_whole: 0, bytes_part: 0, bytes_total: null, attempt: 1, last_error: null },
  };
  const run: Run = { input, node: onNode(node_id), view, paused: false, fetching: undefined };
  setHandler(provisionQuery, () => view);
  setHandler(pauseDownloadSignal, () => {
    run.paused = true;
    run.fetching?.cancel();
  });
  setHandler(resumeDownloadSignal, () => {
    run.paused = false;
  });
  upsertSearchAttributes([
    { key: NodeId, value: node_id },
    { key: ModelRef, value: indexedRef(model_ref) },
    { key: CorrelationId, value: input.correlation_id },
  ]);
  return run;
}

async function provide(run: Run): Promise<{ model: PresentModel; fetched: boolean }> {
  const { input, node, view } = run;
  const plan = await attempting(run, () => node.quick('look for the model').planModel(input));
  if (plan.present !== null) return { model: plan.present, fetched: false };
  const sizes = plan.files.map(({ size_bytes }) => size_bytes);
  view.files_total = sizes.length;
  view.bytes_total = sizes.reduce((sum, size) => (sum === null || size === null ? null : sum + size), 0);
  view.state = 'downloading';
  const files: FetchedFile[] = [];
  for (const file of plan.files) files.push(await fetchFile(run, file));
  view.state = 'publishing';
  const { model_id, model_ref, digest } = input;
  const whole = { model_id, model_ref: shownRef(model_ref), is_folder: plan.is_folder, files, digest };
  const model = await node.quick('put the model in its place').publishModel(whole);
  return { model, fetched: true };
}

async function fetchFile(run: Run, file: ModelFile): Promise<FetchedFile> {
  const { node, view, input } = run;
  setCurrentDetails(`fetching ${file.path}, file ${view.files_done + 1} of ${view.files_total}`);
  const fetched = await attempting(run, () =>
    node.fetching(`fetch ${file.path}`).fetchModelFile({ model_id: input.model_id, file }),
  );
  view.files_done += 1;
  view.bytes_whole += fetched.size_bytes;
  view.bytes_part = 0;
  return fetched;
}

/** Up to six attempts, those after a pause counted anew: it was not the server that ended the one before. */
async function attempting<T>(run: Run, once: () => Promise<T>): Promise<T> {
  const { view } = run;
  for (view.attempt = 1; ; view.attempt += 1) {
    await notPaused(run);
    try {
      return await CancellationScope.cancellable(() => {
        run.fetching = CancellationScope.current();
        return once();
      });
    } catch (err) {
      if (CancellationScope.current().consideredCancelled) throw cancelled(err);
      const facts = factsOf(err);
      view.bytes_part = facts?.bytes ?? view.bytes_part;
      view.bytes_total ??= view.files_total === 1 ? (facts?.total_bytes ?? null) : null;
      if (run.paused || isCancellation(err)) view.attempt = 0;
      else await sleep(mustPause(run, err));
    } finally {
      run.fetching = undefined;
    }
  }
}

async function notPaused(run: Run): Promise<void> {
  if (!run.paused) return;
  const { state } = run.view;
  run.view.state = 'paused';
  await condition(() => !run.paused);
  run.view.state = state;
}

/** Milliseconds until the next attempt. @throws the failure where there is none */
function mustPause({ view, input }: Run, err: unknown): number {
  const { type, message } = explain(err, input);
  const { passing = false, retry_after_ms = null } = factsOf(err) ?? {};
  if (!isDownloadFailure(type)) throw err;
  const pauseMs = pauseBeforeNext({ attempt: view.attempt, type, passing, retryAfterMs: retry_after_ms });
  if (pauseMs === undefined) throw err;
  view.last_error = message;
  log.warn('download: an attempt failed', { event: 'download_attempt_failed', type, attempt: view.attempt });
  return pauseMs;
}

/** A worker that is gone with what it did answers a cancel with its time-out. */
function cancelled(err: unknown): unknown {
  return isCancellation(err) ? err : new CancelledFailure('download cancelled');
}

/** What was gathered goes; a node that is away keeps it, which the next download of the model goes on from. */
async function throwAway({ input, node }: Run): Promise<void> {
  const { model_id } = input;
  try {
    await CancellationScope.nonCancellable(() =>
      node.quickCleanup('remove what was gathered').dropModelParts({ model_id }),
    );
  } catch (err) {
    log.warn('download: what was gathered is still there', { event: 'download_parts_left', model_id, err });
  }
}

function provisionFailure(err: unknown, input: ProvisionInput): ApplicationFailure {
  const { node_id, model_id } = input;
  return ApplicationFailure.create({
    ...explain(err, input),
    nonRetryable: true,
    details: [{ node_id, model_id }],
    ...(err instanceof Error ? { cause: err } : {}),
  });
}

/** One type and one line, whatever shape the failure came in. */
function explain(err: unknown, { node_id }: ProvisionInput): { type: string; message: string } {
  const cause = causeOf(err);
  if (cause instanceof ApplicationFailure)
    return { type: cause.type ?? 'DOWNLOAD_FAILED', message: cause.message };
  if (cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START') {
    return {
      type: 'POOL_UNAVAILABLE',
      message: `node ${node_id} is not there: it did not take the download in time`,
    };
  }
  return { type: 'DOWNLOAD_FAILED', message: cause instanceof Error ? cause.message : String(cause) };
}

function factsOf(err: unknown): AttemptFacts | undefined {
  const cause = causeOf(err);
  if (!(cause instanceof ApplicationFailure || cause instanceof CancelledFailure)) return undefined;
  const [facts] = (cause.details ?? []) as (AttemptFacts | undefined)[]; // As `downloadFailure` makes them.
  return facts;
}

function causeOf(err: unknown): unknown {
  return err instanceof ActivityFailure ? err.cause : err;
}
