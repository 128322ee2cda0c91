/**
 * Makes llama.cpp's real server available to the tests, without building it: a Python environment with the pinned
 * xllamacpp wheel in the cache, and beside it an executable `llama-server` that takes llama-server's flags.
 */
import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pythonEnvironment } from './python-environment.mjs';

const SOURCES = resolve(import.meta.dirname, '..', 'testing', 'xllamacpp');

/**
 * Makes the environment unless it is there, and brings the launcher up to date.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] receives a line when it takes long; default: silent
 * @returns {Promise<{ python: string, launcher: string, version: string }>} absolute paths; `launcher` can be used as a
 *   llama-server
 * @throws Error when there is no Python 3.10 or later with venv, or the wheel cannot be fetched
 */
export async function installXllamacpp({ log = () => {} } = {}) {
  const { python, version } = await pythonEnvironment({
    name: 'xllamacpp',
    requirements: join(SOURCES, 'requirements.txt'),
    pipArgs: ['--require-hashes'],
    announce: (pinned) => `installing llama.cpp's server (xllamacpp ${pinned}, about ten seconds)`,
    log,
  });
  return { python, launcher: await writeLauncher(python), version };
}

/** Puts `server.py` and the shim beside the environment: they must work when this checkout has gone. */
async function writeLauncher(python) {
  const folder = dirname(dirname(python));
  const script = join(folder, 'server.py');
  const launcher = join(folder, 'llama-server');
  await replace(script, await readFile(join(SOURCES, 'server.py'), 'utf8'), 0o644);
  await replace(launcher, `#!/bin/sh\nexec ${quote(python)} ${quote(script)} "$@"\n`, 0o755);
  return launcher;
}

/** Writes a file in one step, unless it is there: another process may be running it. */
async function replace(path, content, mode) {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === content) return;
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  await writeFile(temporary, content);
  await chmod(temporary, mode);
  await rename(temporary, path);
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  try {
    const { launcher } = await installXllamacpp({ log: (line) => process.stderr.write(`${line}\n`) });
    process.stdout.write(`${launcher}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
