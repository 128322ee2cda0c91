/**
 * Installs the embedded engine's own packages into `engines/embedded/node_modules`.
 *
 * They are kept out of the root package because the prebuilt llama.cpp backends for CUDA and Vulkan weigh about a
 * gigabyte, and npm can only take all optional packages or none. So the committed lockfile is trimmed, in a staging
 * folder, to the backends that this machine can use; `npm ci` then installs exactly those, with the lockfile's
 * integrity hashes, and the result is moved into place in one rename. A stamp makes the next call return at once.
 *
 * Node builtins only: this runs before any package is installed. No install script is ever run.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { onPath, run } from './programs.mjs';

const ENGINE_FOLDER = resolve(import.meta.dirname, '..', 'engines', 'embedded');
const BACKEND_PREFIX = 'node_modules/@node-llama-cpp/';
const STAMP = '.drover-install.json';
/** What npm reads: copied into the staging folder, and part of the stamp's digest. */
const INPUTS = ['package.json', 'package-lock.json', '.npmrc'];
/** 84 MB, or about a gigabyte with the GPU backends, over a slow line. */
const INSTALL_TIMEOUT_MS = 1_800_000;

/**
 * Installs the engine's packages if they are not there yet.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] receives one line per step; default: silent
 * @param {'auto' | 'cpu' | 'gpu'} [options.backend] `auto` looks at this machine; `gpu` takes every backend of its
 *   platform (for an image that is built elsewhere); default: `auto`
 * @returns {Promise<{ folder: string, backends: string[], installed: boolean }>} `installed` is false when the
 *   packages were already there
 * @throws when npm fails; the message ends with npm's last lines
 */
export async function installEmbeddedEngine({ log = () => {}, backend = 'auto' } = {}) {
  const lock = JSON.parse(await readFile(join(ENGINE_FOLDER, 'package-lock.json'), 'utf8'));
  const available = Object.keys(lock.packages)
    .filter((path) => path.startsWith(BACKEND_PREFIX))
    .map((path) => path.slice(BACKEND_PREFIX.length));
  const backends = chooseBackends(available, backend);
  const digest = await digestOf(backends);
  const modules = join(ENGINE_FOLDER, 'node_modules');
  if (await isInstalled(modules, digest)) return { folder: modules, backends, installed: false };

  log(`installing the embedded engine's packages (llama.cpp for ${backends.join(', ')})`);
  const startedAt = Date.now();
  const staging = await mkdtemp(join(ENGINE_FOLDER, '.install-'));
  try {
    await stage(staging, lock, backends);
    await runNpmCi(staging);
    await writeFile(join(staging, 'node_modules', STAMP), `${JSON.stringify({ digest, backends })}\n`);
    await moveIntoPlace(staging, modules, digest);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  log(`installed the embedded engine's packages in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  return { folder: modules, backends, installed: true };
}

/**
 * The backend packages to install, out of those in the lockfile.
 *
 * @param {string[]} available package names without their scope, such as `linux-x64-cuda`
 * @param {'auto' | 'cpu' | 'gpu'} backend
 * @param {{ platform: string, arch: string, nvidia: boolean, vulkan: boolean }} [machine] default: this machine
 * @returns {string[]}
 */
export function chooseBackends(available, backend, machine = inspectMachine()) {
  const platform =
    machine.platform === 'darwin' ? 'mac' : machine.platform === 'win32' ? 'win' : machine.platform;
  const arch = machine.arch === 'arm' ? 'armv7l' : machine.arch;
  const base = `${platform}-${arch}`;
  const chosen = available.filter((name) => {
    if (name === base || name === `${base}-metal`) return true;
    if (!name.startsWith(`${base}-`) || backend === 'cpu') return false;
    if (backend === 'gpu' || machine.nvidia) return true;
    return machine.vulkan && name.endsWith('-vulkan');
  });
  if (chosen.length > 0) return chosen;
  throw new Error(
    `there is no prebuilt llama.cpp for ${base}; build llama-server and name it as the pool's binary instead`,
  );
}

function inspectMachine() {
  const nvidia = existsSync('/dev/nvidia0') || onPath('nvidia-smi') !== undefined;
  // A loader without a render node means "Vulkan on the CPU", which is slower than the CPU backend.
  const vulkan = onPath('vulkaninfo') !== undefined && hasRenderNode();
  return { platform: process.platform, arch: process.arch, nvidia, vulkan };
}

function hasRenderNode() {
  return existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD'));
}

async function digestOf(backends) {
  const hash = createHash('sha256').update(backends.join(','));
  for (const name of INPUTS) hash.update(await readFile(join(ENGINE_FOLDER, name)));
  return hash.digest('hex');
}

async function isInstalled(modules, digest) {
  try {
    return JSON.parse(await readFile(join(modules, STAMP), 'utf8')).digest === digest;
  } catch {
    return false; // No stamp, or half a stamp: install.
  }
}

/** Writes the package and a lockfile without the unwanted backends; npm takes a lockfile's metadata as it stands. */
async function stage(staging, lock, backends) {
  for (const name of INPUTS) await cp(join(ENGINE_FOLDER, name), join(staging, name));
  const optional = lock.packages['node_modules/node-llama-cpp'].optionalDependencies;
  for (const path of Object.keys(lock.packages)) {
    if (!path.startsWith(BACKEND_PREFIX) || backends.includes(path.slice(BACKEND_PREFIX.length))) continue;
    delete lock.packages[path];
    delete optional[path.slice('node_modules/'.length)];
  }
  await writeFile(join(staging, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
}

/** Moves the new packages into place; another installer that was faster with the same digest wins. */
async function moveIntoPlace(staging, modules, digest) {
  if (await isInstalled(modules, digest)) return;
  await rename(modules, join(staging, 'replaced')).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(join(staging, 'node_modules'), modules).catch(async (error) => {
    if (!(await isInstalled(modules, digest))) throw error;
  });
}

async function runNpmCi(folder) {
  const npm = process.env.npm_execpath;
  const [command, before] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const args = [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--include=optional',
  ];
  // An enclosing `npm run` sets it; npm would install into that package instead of the staging folder.
  const env = { npm_config_local_prefix: undefined };
  await run(command, [...before, ...args], { cwd: folder, env, timeoutMs: INSTALL_TIMEOUT_MS });
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const asked = /^--backend=(auto|cpu|gpu)$/.exec(process.argv[2] ?? '--backend=auto');
  if (asked === null) {
    process.stderr.write('usage: node setup/install-embedded-engine.mjs [--backend=auto|cpu|gpu]\n');
    process.exit(2);
  }
  const log = (line) => void process.stdout.write(`${line}\n`);
  try {
    const { installed, backends } = await installEmbeddedEngine({ log, backend: asked[1] });
    if (!installed)
      log(`the embedded engine's packages are up to date (llama.cpp for ${backends.join(', ')})`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
