/**
 * Writes `docs/openapi.json`, or with `--check` says whether it is what the routes say now. The API is built and never
 * listens: its clients stand in for the real ones and are never called.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readSettings } from '../contracts/settings.js';
import { createLogger } from '../telemetry/logger.js';
import { packageVersion } from '../telemetry/package-version.js';
import { api, createServer, type ApiDeps } from './app.js';

const FILE = resolve('docs/openapi.json');

/** The description of the API, as text. */
async function describeApi(): Promise<string> {
  const settings = readSettings({});
  const app = createServer(settings, createLogger('api', 'silent'));
  await app.register(api, {
    settings,
    records: neverCalled<ApiDeps['records']>({ away: false }),
    nodes: neverCalled<ApiDeps['nodes']>({ nodeIds: [] }),
    codec: neverCalled<ApiDeps['codec']>({}),
    artifacts: neverCalled<ApiDeps['artifacts']>({}),
    nodeToken: () => '',
    models: neverCalled<ApiDeps['models']>({}),
    backup: () => Promise.reject(new Error('nobody asks')),
    registered: neverCalled<ApiDeps['registered']>({}),
    nodeWorkers: neverCalled<ApiDeps['nodeWorkers']>({}),
    directory: neverCalled<ApiDeps['directory']>({ onLook: () => undefined }),
    installs: neverCalled<ApiDeps['installs']>({}),
    visits: neverCalled<ApiDeps['visits']>({}),
    keys: neverCalled<ApiDeps['keys']>({}),
    sessionBook: neverCalled<ApiDeps['sessionBook']>({}),
    audit: neverCalled<ApiDeps['audit']>({}),
    known: neverCalled<ApiDeps['known']>({}),
    now: Date.now,
    version: packageVersion(),
  });
  await app.ready();
  const text = `${JSON.stringify(app.swagger(), null, 2)}\n`;
  await app.close();
  return text;
}

/** A client that only has to be there while routes are described. */
function neverCalled<T extends object>(known: Partial<T>): T {
  return known as T; // Its methods would be called by requests, and none is made.
}

const described = await describeApi();
if (!process.argv.includes('--check')) {
  await writeFile(FILE, described);
} else if ((await readFile(FILE, 'utf8').catch(() => '')) !== described) {
  process.stderr.write('docs/openapi.json is not what the routes say: run node dist/api/write-openapi.js\n');
  process.exitCode = 1;
}
