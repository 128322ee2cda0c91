/** Files of the catalogue's models: one file or folder an id in the model cache, and nothing outside it (B-CAT-054, C-124). */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, realpath, rm } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DroverError } from '../../contracts/errors.js';

/** Reads and removes the files of models. */
export interface ModelFiles {
  /** Where a model's file or folder is, or would be. */
  pathOf: (id: string) => string;
  /**
   * Hex digest of what is there: of a file its bytes; of a folder the lines `<hex>  <path>` of its files, sorted by path.
   * @returns undefined where there is nothing
   * @throws DroverError INVALID_PARAMS when it leads out of the cache
   */
  digest: (id: string, algorithm: string, signal: AbortSignal) => Promise<string | undefined>;
  /** Removes what is there. @throws DroverError INVALID_PARAMS when it leads out of the cache */
  remove: (id: string) => Promise<void>;
}

/** The models below `root`. */
export function createModelFiles(root: string): ModelFiles {
  const pathOf = (id: string) => join(root, id);

  /** The path, if something is there and it is in the cache itself, not behind a link. */
  async function confined(id: string): Promise<string | undefined> {
    const path = pathOf(id);
    const found = await lstat(path).catch(absent);
    if (found === undefined) return undefined;
    if (relative(root, path) !== id || found.isSymbolicLink()) throw escapes(id);
    return path;
  }

  async function filesIn(path: string, id: string): Promise<string[]> {
    const entries = await readdir(path, { withFileTypes: true, recursive: true });
    const files = entries.filter((entry) => !entry.isDirectory());
    const home = (await realpath(root)) + sep;
    for (const entry of files) {
      const target = await realpath(join(entry.parentPath, entry.name));
      if (!target.startsWith(home)) throw escapes(id);
    }
    return files.map((entry) => relative(path, join(entry.parentPath, entry.name))).sort();
  }

  return {
    pathOf,
    async digest(id, algorithm, signal) {
      const path = await confined(id);
      if (path === undefined) return undefined;
      if (!(await lstat(path)).isDirectory()) return digestOfFile(path, algorithm, signal);
      const whole = createHash(algorithm);
      for (const name of await filesIn(path, id)) {
        whole.update(`${await digestOfFile(join(path, name), algorithm, signal)}  ${name}\n`);
      }
      return whole.digest('hex');
    },
    async remove(id) {
      const path = await confined(id);
      if (path !== undefined) await rm(path, { recursive: true, force: true });
    },
  };
}

async function digestOfFile(path: string, algorithm: string, signal: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

function absent(err: unknown): undefined {
  if ((err as { code?: string }).code === 'ENOENT') return undefined;
  throw err;
}

function escapes(id: string): DroverError {
  return new DroverError('INVALID_PARAMS', 'the files of this model lead out of the model cache', {
    details: [{ field: 'id', problem: `${id} leads out of the model cache` }],
  });
}
