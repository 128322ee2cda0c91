/** What the API asks of Temporal about models that nodes fetch; `downloads.ts` does it, tests have a twin in memory. */
import type { Download, ProvisionInput } from '../../contracts/download.js';

/** Durable records of downloads. Where Temporal is away, calls fail as `TEMPORAL_UNAVAILABLE`. */
export interface DownloadRecords {
  /** Starts a download, or joins the one that runs; answers with its id. */
  start(input: ProvisionInput): Promise<string>;
  /** Resolves at the end of the download, or after so long. */
  wait(downloadId: string, waitMs: number): Promise<void>;
  /** How the last download under this id stands; undefined where there was none. */
  read(downloadId: string): Promise<Download | undefined>;
  /** Tells a download that runs; one that has ended is left alone. */
  tell(downloadId: string, what: 'pause' | 'resume' | 'cancel'): Promise<void>;
}
