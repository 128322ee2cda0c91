/** Failures of downloads as Temporal has them; whether to try again is the workflow's to say, which counts the attempts. */
import { ApplicationFailure } from '@temporalio/common';
import { DOWNLOAD_FAILURES, type DownloadFailureType } from '../../domain/download.js';

/** What such a failure may say beside type and words. */
export interface DownloadFailureFacts {
  /** Bytes of the file that are there, for the next attempt to go on from. */
  bytes?: number;
  total_bytes?: number | null;
  /** Overrules the type's own word. */
  passing?: boolean;
  retry_after_ms?: number | null;
}

/** The failure of a download. */
export function downloadFailure(
  type: DownloadFailureType,
  message: string,
  facts: DownloadFailureFacts = {},
  cause?: unknown,
): ApplicationFailure {
  const details = {
    bytes: 0,
    total_bytes: null,
    retry_after_ms: null,
    passing: DOWNLOAD_FAILURES[type].passing,
    ...facts,
  };
  return ApplicationFailure.create({
    message,
    type,
    nonRetryable: true,
    details: [details],
    ...(cause instanceof Error ? { cause } : {}),
  });
}
