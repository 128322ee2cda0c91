/** PostgreSQL's programs for the tests, which start clusters of their own: found, or installed from Debian's packages. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { installDebianPackage } from './debian.mjs';
import { onPath } from './programs.mjs';

/** Where Debian puts them: one folder a major version. */
const DEBIAN_FOLDER = '/usr/lib/postgresql';

/** @returns {string | undefined} the folder with `initdb` and `postgres`, the newest version's */
export function lookForPostgres() {
  const versions = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER) : [];
  versions.sort((a, b) => Number(b) - Number(a));
  const inPath = ['initdb', 'pg_ctl'].map(onPath).filter((path) => path !== undefined);
  const folders = [...versions.map((version) => join(DEBIAN_FOLDER, version, 'bin')), ...inPath.map(dirname)];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))));
}

/**
 * Finds or installs them.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told what takes long
 * @returns {Promise<string>} the folder
 * @throws Error that says what to install when there are none and we may not install them
 */
export async function preparePostgres({ log = () => {} } = {}) {
  const found = lookForPostgres();
  if (found !== undefined) return found;
  await installDebianPackage('postgresql', 'initdb', log);
  const installed = lookForPostgres();
  if (installed === undefined)
    throw new Error('apt-get installed PostgreSQL, but its programs are not there');
  return installed;
}
