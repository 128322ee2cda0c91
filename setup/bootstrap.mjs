/**
 * Makes a fresh clone ready to run: packages, the embedded engine's packages, the build; with `--for-tests` also what
 * the tests start (Temporal, its time-skipping server, the demonstration model). Run by `prestart` and `pretest`, so
 * it uses Node's builtins only, is silent and quick when there is nothing to do, and may run twice at once.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { spawn } from 'node:child_process';
import { cacheDir } from './cache.mjs';
import { withLock } from './lock.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.drover-lockfile');
/** The first Node 20 with `import.meta.dirname`. */
const LEAST_NODE = [20, 19];

/** One set-up of this checkout at a time; outside it, because a set-up may empty what is in it. */
const LOCK = join(
  cacheDir(),
  'locks',
  `${createHash('sha256').update(ROOT).digest('hex').slice(0, 16)}.lock`,
);

const say = (line) => process.stdout.write(`drover set-up: ${line}\n`);

try {
  checkNode();
  await withLock(LOCK, say, async () => {
    await installPackages();
    const { installEmbeddedEngine } = await import('./install-embedded-engine.mjs');
    await installEmbeddedEngine({ log: say });
    const { build } = await import('./build.mjs');
    await build({ log: say });
  });
  if (process.argv.includes('--for-tests')) {
    const { prepareTestParts } = await import('./test-parts.mjs');
    await prepareTestParts({ log: say });
  }
} catch (error) {
  process.stderr.write(`drover set-up: ${error.message}\n`);
  process.exitCode = 1;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return;
  throw new Error(`Node ${LEAST_NODE.join('.')} or newer is needed; this is ${process.versions.node}`);
}

/** `npm ci` only when the lockfile says other than what is installed: it takes long and begins by deleting. */
async function installPackages() {
  const text = await readFile(join(ROOT, 'package-lock.json'));
  const digest = createHash('sha256').update(text).digest('hex');
  if ((await readFile(STAMP, 'utf8').catch(() => '')) === digest) return;
  if (!(await isInstalled(JSON.parse(text)))) {
    say('installing packages (npm ci, about half a minute)');
    await npmCi();
  }
  await writeFile(STAMP, digest);
}

/** True when npm's own record of node_modules agrees with the lockfile, as after `npm install` by hand. */
async function isInstalled(lock) {
  let record;
  try {
    record = JSON.parse(await readFile(join(MODULES, '.package-lock.json'), 'utf8'));
  } catch {
    return false;
  }
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === '') return true;
    const there = record.packages[path];
    if (there === undefined) return wanted.optional === true || wanted.devOptional === true;
    return there.version === wanted.version && there.integrity === wanted.integrity;
  });
}

function npmCi() {
  const npm = process.env.npm_execpath;
  const [command, before] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  return new Promise((done, failed) => {
    const child = spawn(command, [...before, 'ci', '--loglevel=error'], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32' && command === 'npm',
    });
    child.on('error', failed);
    child.on('close', (code) => (code === 0 ? done() : failed(new Error(`npm ci failed with code ${code}`))));
  });
}
