/** Files that others read while we write them: whole or not there, never half. */
import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes `text` beside `path` and renames it into place. The other name ends in `.tmp`, so that no reader of `*.json`
 * or `*.pid` meets it; it is removed when anything fails.
 * @param mode - permissions of the file, default 0600: only the user that runs Drover reads it
 */
export async function writeAtomically(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, text, { mode, flag: 'wx' });
    await rename(temporary, path);
  } catch (err) {
    await rm(temporary, { force: true });
    throw err;
  }
}
