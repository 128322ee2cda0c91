/**
 * Makes llama.cpp's real server available to the tests, without building it: a Python environment with the pinned
 * xllamacpp wheel, and beside it an executable `llama-server` that takes llama-server's flags.
 *
 * It lives in the user's cache (`$XDG_CACHE_HOME`, else `~/.cache`, then `drover/xllamacpp/<version>`), so that all checkouts share
 * it. The environment is made in a staging folder and renamed when complete. Node builtins only.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = resolve(dirname(fileURLToPath(import.meta.url)), '..', 'testing', 'xllamacpp');
const STAMP = '.drover-install.json';
/** What of pip's output is kept for the error message. */
const KEPT_BYTES = 2_000;

/**
 * Installs the environment if it is not there, and brings the launcher up to date.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] receives one line per step; default: silent
 * @returns {Promise<{ python: string, launcher: string, version: string, installed: boolean }>} `launcher` can be used
 *   as the path of a llama-server; `installed` is false when the environment was already there
 * @throws when there is no suitable Python (3.10 or later, with venv), or pip fails
 */
export async function installXllamacpp({ log = () => {} } = {}) {
  const requirements = await readFile(join(SOURCES, 'requirements.txt'), 'utf8');
  const version = /^xllamacpp==(\S+)/m.exec(requirements)?.[1];
  if (version === undefined) throw new Error('testing/xllamacpp/requirements.txt pins no xllamacpp');
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'drover', 'xllamacpp', version);
  const python = join(folder, 'bin', 'python');
  const digest = createHash('sha256').update(requirements).digest('hex');
  const installed = !(await isInstalled(folder, python, digest));
  if (installed) {
    log(`installing xllamacpp ${version} into ${folder}`);
    await makeEnvironment(folder, digest);
  }
  const launcher = await writeLauncher(folder, python);
  return { python, launcher, version, installed };
}

async function isInstalled(folder, python, digest) {
  try {
    // The environment's python is a link to the system's, which may have been replaced by an upgrade.
    await access(python);
    return JSON.parse(await readFile(join(folder, STAMP), 'utf8')).digest === digest;
  } catch {
    return false;
  }
}

async function makeEnvironment(folder, digest) {
  const staging = `${folder}.${randomBytes(4).toString('hex')}.partial`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    await run('python3', ['-m', 'venv', staging]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--no-deps'];
    const pinned = ['--only-binary=:all:', '--require-hashes', '-r', join(SOURCES, 'requirements.txt')];
    await run(join(staging, 'bin', 'python'), [...pip, ...pinned]);
    await writeFile(join(staging, STAMP), `${JSON.stringify({ digest })}\n`);
    // bin/python finds its packages from where it lies, so the environment may be moved.
    await rm(folder, { recursive: true, force: true });
    await rename(staging, folder).catch(async (error) => {
      if (!(await isInstalled(folder, join(folder, 'bin', 'python'), digest))) throw error; // another was faster
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Puts `server.py` and the shim beside the environment: they must work when this checkout has gone. */
async function writeLauncher(folder, python) {
  const script = join(folder, 'server.py');
  const launcher = join(folder, 'llama-server');
  await replace(script, await readFile(join(SOURCES, 'server.py')), 0o644);
  await replace(launcher, `#!/bin/sh\nexec ${quote(python)} ${quote(script)} "$@"\n`, 0o755);
  return launcher;
}

async function replace(path, content, mode) {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  await writeFile(temporary, content);
  await chmod(temporary, mode);
  await rename(temporary, path);
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function run(command, args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-KEPT_BYTES);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', failed);
    child.on('close', (code) => {
      if (code === 0) return done();
      failed(new Error(`${command} ${args.slice(0, 3).join(' ')} ended with exit code ${code}:\n${output}`));
    });
  });
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const { launcher } = await installXllamacpp({ log: (line) => void process.stderr.write(`${line}\n`) });
    process.stdout.write(`${launcher}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
