/** What the tests start beside our own processes, each made or fetched once into the cache, and where it then is. */
import { join, resolve } from 'node:path';
import { cached } from './cache.mjs';
import { digestOf, filesBelow } from './digests.mjs';
import { findTemporal } from './find-temporal.mjs';
import { preparePostgres } from './postgres.mjs';
import { run } from './programs.mjs';
import { prepareSshServer } from './ssh-server.mjs';
import { prepareTimeSkippingServer } from './time-skipping-server.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const MODEL_PROGRAM = join(ROOT, 'dist', 'engines', 'demo-model');
/** The generator needs two seconds. */
const MODEL_TIMEOUT_MS = 120_000;

/**
 * Makes every part ready and tells the tests where they are.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told what takes long
 * @returns {Promise<Record<string, string>>} the environment of the tests: `DROVER_TEST_TEMPORAL` (program),
 *   `DROVER_TEST_SERVER` (launcher of the time-skipping server), `DROVER_TEST_MODEL` (GGUF file),
 *   `DROVER_TEST_POSTGRES` (folder of its programs), `DROVER_TEST_SSHD` (program)
 */
export async function prepareTestParts({ log = () => {} } = {}) {
  return {
    DROVER_TEST_TEMPORAL: process.env.DROVER_TEST_TEMPORAL ?? (await findTemporal({ log })),
    DROVER_TEST_SERVER: process.env.DROVER_TEST_SERVER ?? (await prepareTimeSkippingServer({ log })),
    DROVER_TEST_MODEL: process.env.DROVER_TEST_MODEL ?? (await prepareDemoModel({ log })),
    DROVER_TEST_POSTGRES: process.env.DROVER_TEST_POSTGRES ?? (await preparePostgres({ log })),
    DROVER_TEST_SSHD: process.env.DROVER_TEST_SSHD ?? (await prepareSshServer({ log })),
  };
}

/** The demonstration model, by the digest of what makes it. */
async function prepareDemoModel({ log }) {
  const program = filesBelow(MODEL_PROGRAM, (path) => !path.endsWith('.map'));
  const version = (await digestOf(MODEL_PROGRAM, program)).slice(0, 16);
  return cached(`demo-model/${version}`, 'demo.gguf', log, async (folder) => {
    const args = [join(MODEL_PROGRAM, 'main.js'), '--out', join(folder, 'demo.gguf')];
    await run(process.execPath, args, { timeoutMs: MODEL_TIMEOUT_MS });
  });
}
