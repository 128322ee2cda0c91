/** PostgreSQL's programs for the tests, which start clusters of their own: found, or installed from Debian's packages. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onPath, run } from './programs.mjs';

/** Where Debian puts them: one folder a major version. */
const DEBIAN_FOLDER = '/usr/lib/postgresql';
/** 60 MB with what it needs. */
const INSTALL_TIMEOUT_MS = 300_000;
/** Its package would else start a server of the machine's. */
const NO_SERVICE = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };

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
  const apt = onPath('apt-get');
  if (apt === undefined || process.getuid?.() !== 0) {
    throw new Error('the tests need PostgreSQL: install it so that "initdb" is on PATH');
  }
  log('installing PostgreSQL (apt-get, about a minute)');
  const options = { env: NO_SERVICE, timeoutMs: INSTALL_TIMEOUT_MS };
  await run(apt, ['update', '--quiet'], options);
  await run(apt, ['install', '--quiet', '--yes', '--no-install-recommends', 'postgresql'], options);
  const installed = lookForPostgres();
  if (installed === undefined)
    throw new Error('apt-get installed PostgreSQL, but its programs are not there');
  return installed;
}
