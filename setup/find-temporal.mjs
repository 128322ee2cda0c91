/**
 * Finds the Temporal CLI, whose `server start-dev` is the Temporal of one machine, or gets it: on PATH, in our cache,
 * by the SDK's download, by building it. As a program it prints the path on stdout, and on stderr what takes long; with
 * `--look` it only looks, and prints nothing when there is none.
 */
import { chmod, copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cached, cacheDir } from './cache.mjs';
import { buildGoProgram } from './go-program.mjs';
import { onPath, run } from './programs.mjs';

/** The last release that `go install` builds with what its go.mod asks for. */
const VERSION = 'v1.5.1';
/** Its place in our cache. */
const FOLDER = `temporal/${VERSION}`;
/** Printing its version takes a moment; more means that it is not what we look for. */
const VERSION_TIMEOUT_MS = 15_000;
/** 100 MB over a slow line, and a network that swallows packets is given up soon enough. */
const DOWNLOAD_TIMEOUT_MS = 90_000;

/**
 * Looks for the Temporal CLI without getting it.
 * @param {object} [options]
 * @param {(line: string) => void} [options.log]
 * @returns {Promise<string | undefined>} its path
 */
export async function lookForTemporal({ log = () => {} } = {}) {
  const installed = onPath('temporal');
  if (installed !== undefined && (await works(installed, log))) return installed;
  const kept = join(cacheDir(), FOLDER, 'temporal');
  return existsSync(kept) ? kept : undefined;
}

/**
 * Finds or gets the Temporal CLI.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told what takes long, and why a way was left
 * @returns {Promise<string>} absolute path of the program
 * @throws Error that says what to install when no way leads to it
 */
export async function findTemporal({ log = () => {} } = {}) {
  const found = await lookForTemporal({ log });
  if (found !== undefined) return found;
  return cached(FOLDER, 'temporal', log, (folder) => obtain(join(folder, 'temporal'), log));
}

async function works(path, log) {
  try {
    await run(path, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
    return true;
  } catch (error) {
    log(`leaving ${path} aside: ${error.message.split('\n')[0]}`);
    return false;
  }
}

async function obtain(target, log) {
  try {
    log(`downloading the Temporal CLI ${VERSION} (up to ${DOWNLOAD_TIMEOUT_MS / 1000} s)`);
    await download(target);
  } catch (error) {
    log(`the download failed (${lastLine(error.message)})`);
    await build(target, log);
  }
  await run(target, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
}

/** The SDK downloads in native code that cannot be stopped, hence a process of its own, which can. */
async function download(target) {
  const folder = `${target}-download`;
  await mkdir(folder);
  try {
    const program = `
      const { TestWorkflowEnvironment, Runtime, DefaultLogger } = await import('@temporalio/testing').then(async (t) => ({ ...t, ...(await import('@temporalio/worker')) }));
      Runtime.install({ logger: new DefaultLogger('ERROR') });
      const env = await TestWorkflowEnvironment.createLocal({ server: { executable: {
        type: 'cached-download', downloadDir: process.argv[1], version: ${JSON.stringify(VERSION)} } } });
      await env.teardown();`;
    const args = ['--input-type=module', '--eval', program, folder];
    await run(process.execPath, args, { cwd: import.meta.dirname, timeoutMs: DOWNLOAD_TIMEOUT_MS });
    const [name] = await readdir(folder);
    if (name === undefined) throw new Error('nothing was downloaded');
    await copyFile(join(folder, name), target);
    await chmod(target, 0o755);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function build(target, log) {
  const go = onPath('go');
  if (go === undefined) {
    throw new Error(
      `no Temporal: install the Temporal CLI (https://docs.temporal.io/cli) so that "temporal" is on PATH, or Go to build it, or name a running server with TEMPORAL_ADDRESS`,
    );
  }
  log(`building the Temporal CLI ${VERSION} with Go (about 3 minutes on two cores, once)`);
  await buildGoProgram(go, `github.com/temporalio/cli/cmd/temporal@${VERSION}`, target);
}

function lastLine(text) {
  return text.trim().split('\n').at(-1);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const log = (line) => process.stderr.write(`${line}\n`);
  try {
    const find = process.argv.includes('--look') ? lookForTemporal : findTemporal;
    process.stdout.write(`${(await find({ log })) ?? ''}\n`);
  } catch (error) {
    log(error.message);
    process.exitCode = 1;
  }
}
