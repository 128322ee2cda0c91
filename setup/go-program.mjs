/** Programs that are built from their module with Go. */
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { cacheDir } from './cache.mjs';
import { run } from './programs.mjs';

/** Minutes on two cores; several times that before it counts as stuck. */
const BUILD_TIMEOUT_MS = 900_000;

/**
 * Builds a program.
 * @param {string} go the Go tool
 * @param {string} module path of the program's package, and `@` its version
 * @param {string} target where it shall stand
 */
export async function buildGoProgram(go, module, target) {
  const bin = `${target}-bin`;
  const env = { GOBIN: bin, GOFLAGS: '' };
  await run(go, ['install', module], { env, cwd: cacheDir(), timeoutMs: BUILD_TIMEOUT_MS });
  await rename(join(bin, basename(module.split('@')[0])), target);
  await rm(bin, { recursive: true, force: true });
}
