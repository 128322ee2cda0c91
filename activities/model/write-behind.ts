/**
 * Writes a file behind the network: while one batch is on its way to the disk the next one gathers, and what is written is
 * synced meanwhile, so that little is left for the end. What is on the disk is always a beginning of what was taken.
 */
import type { FileHandle } from 'node:fs/promises';

/** Takes the bytes of a file one piece after the other. */
export interface WriteBehind {
  /** Resolves at once while the disk keeps up. @throws what the file system said of an earlier piece */
  take: (chunk: Uint8Array) => Promise<void> | undefined;
  /** Waits until all of it is on the disk, synced. @throws what the file system said */
  finish: () => Promise<void>;
  /** Writes what there is and waits until nothing is under way, whatever comes of it: only then may the file be closed. */
  rest: () => Promise<void>;
}

/** Fewer, larger writes; twice as much is held in memory at most. */
const BATCH_BYTES = 1_048_576;
/** A slow network fills no batch; what came of it may be lost with the process for so long. */
const BATCH_MS = 250;
/** What may be written and not yet be asked of the disk. */
const UNSYNCED_BYTES = 64 * 1_048_576;

/** Writes to `handle` from `start` on. */
export function writeBehind(handle: FileHandle, start: number): WriteBehind {
  let [gathered, gatheredBytes]: [Uint8Array[], number] = [[], 0];
  let [at, syncedAt] = [start, start];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> | undefined;
  let syncFailure: Error | undefined;

  async function put(pieces: readonly Uint8Array[], position: number): Promise<void> {
    let written = 0;
    for (const piece of pieces) written += piece.length;
    const { bytesWritten } = await handle.writev(pieces, position);
    if (bytesWritten === written) return;
    // Short writes are rare: what is left goes out in one piece.
    await put([Buffer.concat(pieces).subarray(bytesWritten)], position + bytesWritten);
  }

  function syncMeanwhile(): void {
    if (syncing !== undefined || at - syncedAt < UNSYNCED_BYTES) return;
    syncedAt = at;
    syncing = handle
      .datasync()
      .catch((err: unknown) => void (syncFailure = err as Error))
      .finally(() => (syncing = undefined));
  }

  /** Sends what was gathered after what is under way. @returns the end of that */
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const before = writing;
    if (gatheredBytes === 0) return before;
    const [pieces, position] = [gathered, at];
    at += gatheredBytes;
    [gathered, gatheredBytes] = [[], 0];
    writing = before.then(() => put(pieces, position));
    // It is awaited before the next but one, and at the end.
    writing.catch(() => undefined);
    syncMeanwhile();
    return before;
  }

  return {
    take(chunk) {
      gathered.push(chunk);
      gatheredBytes += chunk.length;
      if (gatheredBytes >= BATCH_BYTES) return flush();
      timer ??= setTimeout(() => void flush(), BATCH_MS);
      return undefined;
    },
    async finish() {
      void flush();
      await writing;
      await syncing;
      if (syncFailure !== undefined) throw syncFailure;
      await handle.sync();
    },
    async rest() {
      void flush();
      await Promise.allSettled([writing, syncing]);
    },
  };
}
