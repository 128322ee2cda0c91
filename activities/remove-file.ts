/** Removing a file that may not be there, nor the folder that it would be in. */
import { rm } from 'node:fs/promises';

/** What `rm` with `force` does not count as absent: a file stands where the folder belongs. */
const ABSENT_TOO = 'ENOTDIR';

/** Resolves when there is no such file. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (err) {
    if (!(err instanceof Error && 'code' in err && err.code === ABSENT_TOO)) throw err;
  }
}
