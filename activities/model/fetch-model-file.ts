/** Activity `fetchModelFile`: one attempt at one file, with a beat that tells how far it is. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { FetchBeat, FetchedFile, ModelFile } from '../../contracts/download.js';
import { rateOf, withSample, type ByteSample } from '../../domain/download.js';
import type { FetchEnd, NodeActivityDeps } from '../deps.js';
import { shuttingDown } from '../shutting-down.js';
import { asDownloadFailure } from './as-download-failure.js';
import { downloadFailure } from './download-failure.js';
import { gatherFile } from './gather-file.js';
import { httpOrigin } from './http-origin.js';
import type { AskOrigin } from './model-origin.js';

/** Which file of which model. */
export interface FetchModelFileInput {
  model_id: string;
  file: ModelFile;
}

/** Readers of the progress see each second. */
const BEAT_MS = 500;

/** Builds the activity `fetchModelFile`. */
export function fetchModelFileActivity(deps: Pick<NodeActivityDeps, 'models' | 'closing' | 'now'>) {
  const { models, closing, now } = deps;
  /** What is being written, by path: an attempt that Temporal has given up may still be at it. */
  const writing = new Map<string, { stop: () => void; ended: Promise<unknown> }>();

  /**
   * Goes on from what is there of the file.
   * @throws ApplicationFailure of `downloadFailure`; retryable when this worker shuts down, so that the next one goes on
   */
  return async function fetchModelFile({ model_id, file }: FetchModelFileInput): Promise<FetchedFile> {
    const context = Context.current();
    const path = join(models.folder.gatheringOf(model_id), file.path);
    const { cancellationSignal } = context;
    const beat = (told: FetchBeat) => {
      context.heartbeat(told);
      models.metrics.progress(model_id, told.bytes, told.total_bytes);
    };
    const watch = watchBytes({ stallMs: models.stallMs, now, beat });
    const ending = new AbortController();
    const signal = AbortSignal.any([cancellationSignal, closing, watch.stalled, ending.signal]);
    const before = writing.get(path);
    before?.stop();
    await before?.ended;
    const gathering = gatherFile({
      ...{ file, path, signal, now, limit: models.bytesPerSecond },
      origin: originOf(file, models),
      onBytes: watch.onBytes,
      onReading: () => watch.rest(0),
      pause: async (ms) => {
        watch.rest(ms);
        await delay(ms, undefined, { signal });
      },
    });
    const own = { stop: () => ending.abort(), ended: gathering.catch(() => undefined) };
    writing.set(path, own);
    let end: FetchEnd = 'stopped';
    try {
      const fetched = await gathering;
      end = 'success';
      return fetched;
    } catch (err) {
      if (!cancellationSignal.aborted && !closing.aborted) end = 'failure';
      throw await whyEnded(err, { path, watch, closing, cancellationSignal, stallMs: models.stallMs });
    } finally {
      watch.end();
      models.metrics.ended(model_id, end);
      if (writing.get(path) === own) writing.delete(path);
    }
  };
}

interface EndedFetch {
  path: string;
  watch: ByteWatch;
  closing: AbortSignal;
  cancellationSignal: AbortSignal;
  stallMs: number;
}

/** A cancel goes before a shutdown, a shutdown before a silence: each aborts the same request. */
async function whyEnded(err: unknown, { path, watch, closing, cancellationSignal, stallMs }: EndedFetch) {
  if (closing.aborted && !cancellationSignal.aborted) return shuttingDown();
  const bytes = (await stat(`${path}.part`).catch(() => undefined))?.size ?? 0;
  const total_bytes = watch.totalBytes();
  if (watch.stalled.aborted && !cancellationSignal.aborted) {
    return downloadFailure('DOWNLOAD_TIMEOUT', `no byte came for ${stallMs} ms`, { bytes, total_bytes }, err);
  }
  return asDownloadFailure(err, { signal: cancellationSignal, bytes, total_bytes });
}

function originOf({ from }: ModelFile, models: NodeActivityDeps['models']): AskOrigin {
  if ('url' in from) {
    const token = from.by === 'hf' ? models.hfToken : undefined;
    return httpOrigin({ ...from, token, trusted: [models.hfEndpoint] });
  }
  return async (question) => {
    // Most of what the process would load otherwise.
    const { s3Origin } = await import('./s3-origin.js');
    return s3Origin({ ...from, ...models.s3 })(question);
  };
}

interface ByteWatch {
  onBytes: (bytes: number, totalBytes: number | null) => void;
  /** For so long nothing is expected. */
  rest: (ms: number) => void;
  stalled: AbortSignal;
  totalBytes: () => number | null;
  end: () => void;
}

interface ByteWatchOptions {
  stallMs: number;
  now: () => number;
  beat: (beat: FetchBeat) => void;
}

/** Tells how far a file is, and when nothing comes any more. */
function watchBytes({ stallMs, now, beat }: ByteWatchOptions): ByteWatch {
  const stalled = new AbortController();
  let samples: ByteSample[] = [];
  let told: FetchBeat | undefined;
  let quietSinceMs = now();
  const look = () => {
    if (told !== undefined) {
      samples = withSample(samples, { atMs: now(), bytes: told.bytes });
      told = { ...told, bytes_per_second: rateOf(samples) };
    }
    beat(told ?? { bytes: 0, total_bytes: null, bytes_per_second: 0 });
    if (now() - quietSinceMs >= stallMs) stalled.abort();
  };
  const timer = setInterval(look, Math.min(BEAT_MS, Math.ceil(stallMs / 2)));
  return {
    onBytes(bytes, total_bytes) {
      quietSinceMs = now();
      const isFirst = told === undefined;
      told = { bytes, total_bytes, bytes_per_second: told?.bytes_per_second ?? 0 };
      if (isFirst) look();
    },
    rest: (ms) => (quietSinceMs = now() + ms),
    stalled: stalled.signal,
    totalBytes: () => told?.total_bytes ?? null,
    end: () => clearInterval(timer),
  };
}
