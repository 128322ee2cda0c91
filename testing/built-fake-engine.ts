/** The fake engine as a program of its own: one file with an interpreter line, so that a pool can name it as its binary. */
import { rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

let built: Promise<string> | undefined;

/** Path of the executable, built once a test process. */
export function builtFakeEngine(): Promise<string> {
  built ??= buildIt();
  return built;
}

async function buildIt(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-fake-engine-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'fake-engine.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./fake-engine.ts', import.meta.url))],
    outfile,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    banner: { js: '#!/usr/bin/env node' },
    logLevel: 'error',
  });
  await chmod(outfile, 0o755);
  return outfile;
}
