/** Digests of what a step reads, so that it is skipped while nothing has changed. */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/**
 * All files below a folder, sorted, without hidden ones and `node_modules`.
 * @param {string} folder absolute
 * @param {(path: string) => boolean} [wanted]
 * @returns {string[]} absolute paths; none when the folder is not there
 */
export function filesBelow(folder, wanted = () => true) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  const found = entries
    .filter((entry) => !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path, wanted);
      return wanted(path) ? [path] : [];
    });
  return found.sort();
}

/**
 * Digest of files, by their names and contents.
 * @param {string} root names are relative to it
 * @param {string[]} paths absolute
 * @returns {Promise<string>} SHA-256, hexadecimal
 */
export async function digestOf(root, paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    hash.update(`${relative(root, path)}\0`);
    hash.update(await readFile(path));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/**
 * Writes a file so that a reader sees the old or the new one, never half of it.
 * @param {string} path
 * @param {string | Uint8Array} content
 */
export async function writeWhole(path, content) {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}.tmp`;
  await writeFile(aside, content);
  await rename(aside, path);
}
