/**
 * From a worker whose model loads to one who watches (B-LOAD-003): its node is asked twice a second how far it has come, and
 * the reader is told what has changed, and at last how it ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadingFrame } from '../../contracts/loading.js';
import type { WorkerReport } from '../../contracts/worker-report.js';
import type { EventStream } from '../plugins/sse.js';

/** Between two looks; the node is told of every layer. */
const LOOK_EVERY_MS = 500;

/** How the worker stands; undefined when there is none of this id (any more). */
export type LookAtWorker = () => Promise<WorkerReport | undefined>;

/** Serves one reader until it leaves, or the loading has ended. */
export async function relayLoading(
  first: WorkerReport,
  look: LookAtWorker,
  stream: EventStream,
): Promise<void> {
  let worker: WorkerReport | undefined = first;
  let told = '';
  while (!stream.isClosed()) {
    const frame = frameOf(worker);
    const isLast = frame !== undefined && frame.stage !== 'loading_to_vram';
    const text = frame === undefined ? told : JSON.stringify(frame);
    // A reader that does not read now is told at a later look; the end it is told anyway.
    if (text !== told && (isLast || !stream.isBlocked())) {
      stream.write(`data: ${text}\n\n`);
      told = text;
    }
    if (isLast) {
      stream.write('data: [DONE]\n\n');
      stream.end();
      return;
    }
    await delay(LOOK_EVERY_MS, undefined, { ref: false });
    // What is away now may be back at the next look; the stream's comments keep its reader.
    worker = await look().catch(() => worker);
  }
}

/** What there is to tell of a worker; undefined while it loads and does not say how far it has come. */
export function frameOf(worker: WorkerReport | undefined): LoadingFrame | undefined {
  if (worker === undefined)
    return { stage: 'error', code: 'WORKER_NOT_FOUND', message: 'the worker is gone' };
  const { state, loading, last_error } = worker;
  if (state === 'loading')
    return loading === undefined ? undefined : { stage: 'loading_to_vram', ...loading };
  if (state !== 'error' && state !== 'crashed') return { stage: 'ready' };
  return { stage: 'error', code: 'PRELOAD_FAILED', message: last_error ?? `the worker is in state ${state}` };
}
