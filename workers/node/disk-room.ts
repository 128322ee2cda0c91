/**
 * Room for run logs. A node takes no new task once its disk has less than a reserve, which is there for those that run; and
 * a record that finds no room at all waits for some, so that a full disk is a pause for a stream and not its end.
 */
import { statfsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError } from '../../contracts/errors.js';

/** What file systems say when they take no more. */
const NO_ROOM = ['ENOSPC', 'EDQUOT'];
/** Between two tries of a record that found no room. */
const TRY_EVERY_MS = 500;
/** When a client may come again; somebody has to make room first. */
const RETRY_AFTER_MS = 5_000;

/** @throws DroverError POOL_UNAVAILABLE while the file system of the folder has less than `reserveBytes` to give */
export function requireDiskRoom(folder: string, reserveBytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < reserveBytes) throw diskFull();
}

/** What whoever asks for something that must be recorded is told; it may come again. */
export function diskFull(cause?: unknown): DroverError {
  const details = { cause_code: 'DISK_FULL' };
  const extras = { retry_after_ms: RETRY_AFTER_MS, policy_label: 'retry', details };
  const message = "the node's disk is full: nothing can be recorded now";
  return new DroverError('POOL_UNAVAILABLE', message, extras, { cause });
}

/** True for an error of a file system that is full. */
export function isOutOfRoom(err: unknown): boolean {
  return NO_ROOM.includes((err as { code?: string } | null)?.code ?? '');
}

/**
 * Writes, again and again while there is no room.
 * @param onWait - called once, before the first wait
 * @returns undefined where it was written at once: what others see of it is then there in the same turn of the event loop
 * @throws the signal's reason when it aborts meanwhile; any other error of `write`
 */
export function onceThereIsRoom(
  write: () => void,
  signal: AbortSignal,
  onWait: (err: unknown) => void,
): Promise<void> | undefined {
  try {
    write();
    return undefined;
  } catch (err) {
    if (!isOutOfRoom(err)) throw err;
    onWait(err);
    return later(write, signal);
  }
}

async function later(write: () => void, signal: AbortSignal): Promise<void> {
  for (;;) {
    await delay(TRY_EVERY_MS);
    signal.throwIfAborted();
    try {
      return write();
    } catch (err) {
      if (!isOutOfRoom(err)) throw err;
    }
  }
}
