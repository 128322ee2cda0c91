/** Whatever ended an attempt, as the workflow counts it. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { systemReason } from '../failures.js';
import { whyStopped } from '../shutting-down.js';
import { downloadFailure } from './download-failure.js';

/** What the file system says of a model cache that no attempt can write. */
const UNWRITABLE = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG'];

/** How the attempt stood. */
export interface EndedAttempt {
  /** The activity's own: a cancel and a shutdown are no failures of the download. */
  signal: AbortSignal;
  /** Bytes of the file that are there, of so many where that is known. */
  bytes: number;
  total_bytes?: number | null;
}

/** What to throw for `err`. */
export function asDownloadFailure(err: unknown, { signal, ...at }: EndedAttempt): unknown {
  if (signal.aborted) {
    const reason = whyStopped(signal.reason);
    return reason instanceof CancelledFailure ? new CancelledFailure(reason.message, [at]) : reason;
  }
  if (err instanceof ApplicationFailure) return err;
  const code = (err as { code?: string }).code ?? '';
  if (UNWRITABLE.includes(code)) {
    const message = `the model cache cannot be written: ${code}`;
    return downloadFailure('DOWNLOAD_FAILED', message, { ...at, passing: false }, err);
  }
  // Connections break in many words; none of them names more than the host that was asked for.
  return downloadFailure('DOWNLOAD_FAILED', `the download broke off: ${systemReason(err)}`, at, err);
}
