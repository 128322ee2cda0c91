/**
 * Things that are made or fetched once and shared by every checkout on this machine: `~/.cache/drover`, a folder a
 * version, or `DROVER_CACHE_DIR`. What stands in the cache is complete: it is made aside and renamed into place.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { withLock } from './lock.mjs';

/** @returns {string} the cache's folder, absolute */
export function cacheDir() {
  const named = process.env.DROVER_CACHE_DIR;
  return named !== undefined && named !== '' ? resolve(named) : join(homedir(), '.cache', 'drover');
}

/**
 * Makes a cached folder unless it is there.
 *
 * @param {string} name folder in the cache, ending in its version, such as `temporal/v1.5.1`
 * @param {string} wanted a file in it whose presence means that the folder is there
 * @param {(line: string) => void} log
 * @param {(folder: string) => Promise<void>} make fills an empty folder; it may fail, then nothing is kept
 * @returns {Promise<string>} absolute path of `wanted`
 */
export async function cached(name, wanted, log, make) {
  const folder = join(cacheDir(), name);
  const file = join(folder, wanted);
  if (existsSync(file)) return file;
  await withLock(`${folder}.lock`, log, async () => {
    if (existsSync(file)) return;
    await mkdir(dirname(folder), { recursive: true });
    const staging = await mkdtemp(join(dirname(folder), `.${basename(folder)}-`));
    try {
      await make(staging);
      if (!existsSync(join(staging, wanted))) throw new Error(`${wanted} was not made`);
      await rm(folder, { recursive: true, force: true });
      await rename(staging, folder);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  });
  return file;
}
