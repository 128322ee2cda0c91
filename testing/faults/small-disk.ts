/** A file system of its own for the node's run logs, small enough to be filled in an instant. It takes the right to mount. */
import { mkdir, open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { runToEnd } from '../run-to-end.js';

/** The node takes no new task with less than this. */
export const RESERVE_BYTES = 4 * 1_048_576;
/** Beyond the reserve: a second's tasks write some tens of kilobytes. */
const LEAST_MIB = 32;
/** Written at once while it is filled. */
const CHUNK = Buffer.alloc(1_048_576);

/** A mounted disk. */
export class SmallDisk {
  private readonly filler: string;

  private constructor(private readonly folder: string) {
    this.filler = join(folder, 'filler');
  }

  /**
   * Mounts one with room for a run of so many seconds.
   * @throws Error with what `mount` says
   */
  static async mount(folder: string, seconds: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    const options = `size=${LEAST_MIB + seconds}m,mode=700`;
    await runToEnd('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
    return new SmallDisk(folder);
  }

  /** Takes all room but this. */
  async fill(leftBytes: number): Promise<void> {
    const file = await open(this.filler, 'w');
    let size = 0;
    try {
      for (;;) size += (await file.write(CHUNK)).bytesWritten;
    } catch (err) {
      if ((err as { code?: string }).code !== 'ENOSPC') throw err;
    } finally {
      await file.close();
    }
    if (leftBytes > 0) await truncate(this.filler, Math.max(0, size - leftBytes));
  }

  /** Gives the room back. */
  async free(): Promise<void> {
    await rm(this.filler, { force: true });
  }

  /** Removes it, with all that stands on it. */
  async unmount(): Promise<void> {
    // Lazily: what was killed a moment ago may still hold a file.
    await runToEnd('umount', ['--lazy', this.folder]);
  }
}
