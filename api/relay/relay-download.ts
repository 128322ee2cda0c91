/**
 * From a download to those who watch it (B-DL-002..010). It is looked at some times a second while somebody watches, once for
 * all of its readers; each is told at once how it stands, then whatever changes, and at last how it ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Download, DownloadFrame } from '../../contracts/download.js';
import type { EventStream } from '../plugins/sse.js';

/** Between two looks; the node tells how far it is each second. */
const LOOK_EVERY_MS = 500;
const BITS = 8;

/** Watched downloads. */
export interface DownloadWatch {
  /** Serves one reader until it leaves, or the download has ended. */
  relay(now: Download, stream: EventStream): void;
}

/** Builds the watch; it looks at nothing until there is a reader. */
export function createDownloadWatch(read: (id: string) => Promise<Download>): DownloadWatch {
  const readersOf = new Map<string, Set<DownloadReader>>();

  async function watch(id: string, readers: Set<DownloadReader>): Promise<void> {
    while (readers.size > 0) {
      await delay(LOOK_EVERY_MS, undefined, { ref: false });
      // What is away now may be back at the next look; the stream's comments keep its readers.
      const seen = await read(id).catch(() => undefined);
      if (seen !== undefined) for (const reader of readers) reader.tell(seen);
    }
    readersOf.delete(id);
  }

  return {
    relay(now, stream) {
      const reader = new DownloadReader(stream);
      reader.tell(now);
      const id = now.download_id;
      const watched = readersOf.get(id);
      const readers = watched ?? new Set();
      readers.add(reader);
      stream.onClose(() => readers.delete(reader));
      if (watched !== undefined) return;
      readersOf.set(id, readers);
      void watch(id, readers);
    },
  };
}

/** How a download stands, as readers of its progress have it. */
export function frameOf(download: Download): DownloadFrame {
  const { status, bytes_downloaded, bytes_total, bytes_per_second, eta_ms, local_path, digest, error } =
    download;
  if (status === 'completed' && local_path !== null) return { stage: 'complete', local_path, digest };
  if (status === 'cancelled')
    return { stage: 'error', code: 'CANCELLED', message: 'the download was cancelled' };
  if (status === 'running' || status === 'paused') {
    const speed_mbps = Math.round((bytes_per_second * BITS) / 10_000) / 100;
    const paused = status === 'paused';
    return { stage: 'downloading', bytes_downloaded, bytes_total, speed_mbps, eta_ms, paused };
  }
  return { stage: 'error', ...(error ?? { code: 'DOWNLOAD_FAILED', message: 'the download failed' }) };
}

class DownloadReader {
  private last = '';

  constructor(private readonly stream: EventStream) {}

  /** A reader that does not read now is told at a later look. */
  tell(download: Download): void {
    if (this.stream.isBlocked() || this.stream.isClosed()) return;
    const frame = frameOf(download);
    const text = JSON.stringify(frame);
    if (text !== this.last) this.stream.write(`data: ${text}\n\n`);
    this.last = text;
    if (frame.stage === 'downloading') return;
    this.stream.write('data: [DONE]\n\n');
    this.stream.end();
  }
}
