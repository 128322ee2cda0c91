/**
 * `npm run test:schema`: Schemathesis asks a real stack what `docs/openapi.json` allows, and what it does not, always the same
 * requests. No answer may be one that is not described, fail but as told, or speak of the inside. The last line is
 * `N passed, N failed`, an operation each; exit code 1 when anything failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Models } from '../../features/support/models.js';
import { findTestParts, PROGRAMS } from '../../features/support/places.js';
import { Stack } from '../../features/support/stack.js';
import { startTemporalServer } from '../../features/support/temporal-server.js';
import { readReport } from './report.js';

const ROOT = resolve(import.meta.dirname, '..', '..');
const LOGS = join(ROOT, '.test-logs', 'schema');
/** Plain JavaScript without types. */
const INSTALLER = pathToFileURL(join(ROOT, 'setup', 'install-schemathesis.mjs')).href;
const NAMESPACE = 'schema';
/** Several times what it takes on two cores. */
const LIMIT_MS = 600_000;
/** An answer that takes longer is none. */
const REQUEST_LIMIT_S = 30;
/** Drawn requests an operation; the written-out cases of its schemas come on top. */
const EXAMPLES = 50;

const print = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const missing = Object.values(PROGRAMS).filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`npm run build first: ${missing.join(', ')} is missing`);
  const parts = await findTestParts();
  const { installSchemathesis } = (await import(INSTALLER)) as {
    installSchemathesis: (options: { log: (line: string) => void }) => Promise<string>;
  };
  const python = await installSchemathesis({ log: print });
  const folders = { work: await mkdtemp(join(tmpdir(), 'drover-schema-')), logs: LOGS };
  await rm(LOGS, { recursive: true, force: true });
  await mkdir(LOGS, { recursive: true });
  const temporalPath = parts.DROVER_TEST_TEMPORAL;
  const temporal = await startTemporalServer(temporalPath, folders, 'temporal', [NAMESPACE]);
  const models = new Models(folders.work, parts.DROVER_TEST_MODEL);
  const shared = {
    folders,
    temporal,
    temporalPath,
    models,
    engine: 'embedded',
    xllamacpp: undefined,
  } as const;
  const stack = new Stack('schema', {}, NAMESPACE, shared);
  try {
    await stack.start();
    // The API that is asked has a configuration file, which leaves pools alone.
    const config = join(stack.stateDir, 'drover.yaml');
    await writeFile(config, 'DROVER_LOG_LEVEL: info\n');
    await stack.startApi({ DROVER_CONFIG: config, DROVER_INVALID_REQUEST_LIMIT: '1000000' });
    const report = join(LOGS, 'report.xml');
    const ended = await ask(python, stack, report);
    const crashed = stack.crashed.map(({ name }) => `FAILED: the ${name} ended by itself`);
    return sum(existsSync(report) ? await readFile(report, 'utf8') : '', [...ended, ...crashed]);
  } finally {
    await stack.stop();
    await temporal.stop();
    await rm(folders.work, { recursive: true, force: true });
  }
}

/** Runs it. @returns what is wrong beside what its report says */
async function ask(python: string, stack: Stack, report: string): Promise<string[]> {
  const { client } = stack.mustApi();
  const checks = [
    ...['status_code_conformance', 'content_type_conformance', 'response_schema_conformance'],
    ...['fails_only_as_told', 'says_nothing_of_the_inside'],
  ];
  const args = [
    ...['-c', 'from schemathesis.cli import schemathesis; schemathesis()'],
    ...['run', join(ROOT, 'docs', 'openapi.json'), '--url', client.url],
    ...['--header', `X-API-Key: ${stack.key}`, '--checks', checks.join(',')],
    ...['--phases', 'examples,coverage,fuzzing', '--max-examples', String(EXAMPLES)],
    ...['--generation-deterministic', '--no-shrink'],
    ...['--request-timeout', String(REQUEST_LIMIT_S), '--suppress-health-check', 'all'],
    ...['--report-junit-path', report],
  ];
  const child = spawn(python, args, {
    cwd: LOGS,
    env: {
      ...process.env,
      SCHEMATHESIS_HOOKS: 'checks',
      PYTHONPATH: import.meta.dirname,
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return code === 0 || code === 1 ? [] : [`FAILED: Schemathesis ended with ${signal ?? `code ${code}`}`];
}

function sum(xml: string, further: readonly string[]): number {
  const { passed, failures } = readReport(xml);
  const failed = [...failures.map((failure) => `FAILED: ${failure}`), ...further];
  if (passed === 0 && failed.length === 0) failed.push('FAILED: nothing was asked');
  for (const line of ['', ...failed, `${passed} passed, ${failed.length} failed`]) print(line);
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
