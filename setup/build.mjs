/**
 * Builds `dist/`: every module of ours as it stands, TypeScript taken off, with source maps; then the workflow bundle
 * that Temporal workers load. A step whose inputs have not changed is skipped; what has no source any more goes.
 * Types are checked by `npm run check`, not here.
 */
import { spawnSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { digestOf, filesBelow, writeWhole } from './digests.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const FOLDERS = [
  ...['domain', 'contracts', 'workflows', 'activities', 'api', 'workers', 'store', 'engines'],
  ...['telemetry', 'security', 'stack', 'cli', 'testing', 'bench'],
];
const BUNDLE = 'workflow-bundle.js';
/** Which commit was built, and when. */
const BUILD_INFO = 'build-info.json';
/** What is bundled: the workflows, and what they may import by value. */
const BUNDLED_FOLDERS = ['workflows', 'domain', 'contracts'];

/**
 * Builds what has changed.
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told what was built
 */
export async function build({ log = () => {} } = {}) {
  const recipe = [join(ROOT, 'package-lock.json'), join(ROOT, 'tsconfig.json'), import.meta.filename];
  const sources = FOLDERS.flatMap((folder) => filesBelow(join(ROOT, folder), isSource));
  await step('modules', [...sources, ...recipe], async () => {
    const changed = await transpile(sources);
    await writeWhole(
      join(DIST, BUILD_INFO),
      JSON.stringify({ commit: commitOf(ROOT), time: new Date().toISOString() }),
    );
    log(`built ${sources.length} modules (${changed} files changed)`);
  });
  await removeStale(sources);
  const bundled = BUNDLED_FOLDERS.flatMap((folder) =>
    filesBelow(join(DIST, folder), (p) => p.endsWith('.js')),
  );
  await step('bundle', [...bundled, ...recipe], async () => {
    const code = await bundleWorkflows();
    await writeWhole(join(DIST, BUNDLE), code);
    log(`built the workflow bundle (${Math.round(code.length / 1000)} kB)`);
  });
}

function isSource(path) {
  return path.endsWith('.ts') && !path.endsWith('.d.ts') && !path.endsWith('.test.ts');
}

/** The commit that is checked out; null without a checkout, as in an image. */
function commitOf(folder) {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: folder, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : (process.env.DROVER_BUILD_COMMIT ?? null);
}

/** Runs a step unless the digest of its inputs is the one that its last success left. */
async function step(name, inputs, work) {
  const stamp = join(DIST, `.${name}.digest`);
  const digest = await digestOf(ROOT, inputs);
  if ((await readFile(stamp, 'utf8').catch(() => '')) === digest) return;
  await work();
  await writeWhole(stamp, digest);
}

/** A file whose content stays is not written again: running processes and watchers are left in peace. */
async function transpile(sources) {
  const esbuild = await import('esbuild');
  const { outputFiles } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: sources,
    outbase: ROOT,
    outdir: DIST,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    write: false,
    logLevel: 'error',
  });
  let changed = 0;
  for (const { path, contents } of outputFiles) {
    const before = await readFile(path).catch(() => undefined);
    if (before?.equals(contents)) continue;
    await writeWhole(path, contents);
    changed += 1;
  }
  return changed;
}

async function removeStale(sources) {
  const expected = new Set(
    sources.flatMap((path) => {
      const built = join(DIST, relative(ROOT, path)).replace(/\.ts$/, '.js');
      return [built, `${built}.map`];
    }),
  );
  expected.add(join(DIST, BUNDLE)).add(join(DIST, BUILD_INFO));
  for (const path of filesBelow(DIST)) if (!expected.has(path)) await rm(path, { force: true });
}

async function bundleWorkflows() {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(DIST, 'workflows', 'index.js'),
    workflowInterceptorModules: [join(DIST, 'workflows', 'parts', 'correlation.js')],
    failureConverterPath: join(DIST, 'workflows', 'parts', 'failure-converter.js'),
    logger: new DefaultLogger('WARN'),
  });
  return code;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await build({ log: (line) => process.stdout.write(`${line}\n`) });
  } catch (error) {
    process.stderr.write(`build: ${error.message}\n`);
    process.exitCode = 1;
  }
}
