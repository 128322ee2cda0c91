import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { CliRun } from '../../testing/run-cli.js';
import { ScriptedServer, sendJson, type Answerer } from '../../testing/scripted-server.js';

const COMMAND = [process.execPath, '--import', 'tsx', join(import.meta.dirname, '..', 'main.ts')] as const;
const WORKER = {
  ...{ worker_id: 'n-1:tea:r0', node_id: 'n-1', pool_id: 'tea', replica_id: 'r0', url: null },
  ...{ engine: 'llamacpp', model_ref: 'demo', model_name: null, backend: 'cpu', device: null, state: 'idle' },
  ...{ slots_total: 2, slots_available: 2, pid: 7, last_activity_ms: null, last_error: null },
};
const ILL = { ...WORKER, worker_id: 'n-1:ill:r0', pool_id: 'ill' };

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** Answers by method and path; anything else is none of its routes. */
async function run(args: readonly string[], routes: Readonly<Record<string, unknown>>) {
  const answer: Answerer = (response, { method, path }) => {
    const body = routes[`${method} ${path}`];
    const status = (body as { status?: unknown } | undefined)?.status;
    if (body === undefined) sendJson(response, 404, { code: 'WORKER_NOT_FOUND', message: 'none' });
    else sendJson(response, typeof status === 'number' ? status : 200, body);
  };
  const server = await ScriptedServer.start(answer);
  servers.push(server);
  const cli = new CliRun({
    ...{ command: COMMAND, args },
    env: { DROVER_URL: server.url, DROVER_API_KEY: 'k-1', HOME: '/nonexistent' },
  });
  return { code: await cli.exitCode(), cli, server };
}

const idOf = ({ worker_id }: { worker_id: string }) => encodeURIComponent(worker_id);

test('B-CLI-006: workers are listed, and those of a node are asked for their health one by one', async () => {
  const list = await run(['workers', 'list'], { 'GET /v2/workers/list': { workers: [WORKER] } });
  assert.equal(list.code, 0);
  assert.match(list.cli.stdout, /n-1:tea:r0 +demo +idle +2 of 2 free/);
  const routes = {
    'GET /v2/workers/health?node=n-1': { workers: [WORKER, ILL] },
    [`GET /v2/workers/${idOf(WORKER)}/health`]: {
      worker_id: WORKER.worker_id,
      status: 'alive',
      state: 'busy',
    },
    [`GET /v2/workers/${idOf(ILL)}/health`]: {
      ...{
        status: 502,
        code: 'HEALTH_CHECK_ERROR',
        message: 'the engine cannot be reached',
        retriable: false,
      },
    },
  };
  const { code, cli } = await run(['workers', 'health', '--node', 'n-1'], routes);
  assert.equal(code, 1);
  assert.match(cli.stdout, /n-1:tea:r0 +busy +alive\nn-1:ill:r0 +idle +the engine cannot be reached/);
  assert.match(cli.stderr, /CHECK_FAILED: 1 of 2 engines[^]*n-1:ill:r0/);
  const well = { ...routes, 'GET /v2/workers/health?node=n-1': { workers: [WORKER] } };
  assert.equal((await run(['workers', 'health', '--node', 'n-1'], well)).code, 0);
});

test('B-NODE-035, B-NODE-031: every part is told with its health, and a node that does not answer ends the question with its advice', async () => {
  const api = { status: 'healthy', version: '0.1.0', problem: null };
  const worker = { worker_id: 'n-1:tea:r0', status: 'unhealthy', state: 'crashed', problem: 'it fell' };
  const node = { node_id: 'n-1', status: 'healthy', problem: null, workers: [worker] };
  const { code, cli } = await run(['health'], {
    'GET /v2/health': { status: 'unhealthy', api, nodes: [node] },
  });
  assert.equal(code, 1);
  assert.match(
    cli.stdout,
    /api +http.* healthy +-\nnode +n-1 +healthy +-\nworker +n-1:tea:r0 +unhealthy +it fell/,
  );
  assert.match(cli.stderr, /CHECK_FAILED: 1 of 3 parts/);
  const answer = {
    code: 'CONNECTION_TIMEOUT',
    message: 'silent',
    hint: 'see that the node worker runs there',
  };
  const asked = await run(['nodes', 'health', 'n-1'], {
    'GET /v2/nodes/n-1/health': { ...answer, status: 504 },
  });
  // A time-out of any kind is 124 (C-164), and the API has tried often enough.
  assert.deepEqual([asked.code, asked.server.requests.length], [124, 1]);
  assert.match(asked.cli.stderr, /CONNECTION_TIMEOUT: silent[^]*next: see that the node worker runs/);
  const alive = { status: 'alive', version: '0.1.0', api_version: 'v1' };
  const well = await run(['nodes', 'health', 'n-1'], {
    'GET /v2/nodes/n-1/health': { ...alive, status: 'alive' },
  });
  assert.deepEqual([well.code, well.cli.stdout], [0, 'n-1 is alive, version 0.1.0\n']);
});

test('B-CLI-006: a worker is shut down by draining its pool, unless that has others, too', async () => {
  const routes = {
    [`GET /v2/workers/${idOf(WORKER)}`]: WORKER,
    'GET /v2/workers/list': { workers: [WORKER, ILL] },
    'POST /v2/pools/tea/drain': { pool_id: 'tea' },
  };
  const args = ['workers', 'shutdown', '--id', WORKER.worker_id];
  const { code, cli, server } = await run([...args, '--deadline', '5s'], routes);
  assert.equal(code, 0, cli.stderr);
  assert.match(cli.stdout, /n-1:tea:r0 is stopped/);
  assert.deepEqual(JSON.parse(server.to('/v2/pools/tea/drain')[0]?.body ?? ''), {
    deadline_ms: 5_000,
    wait_ms: 0,
  });
  const twin = { ...WORKER, worker_id: 'n-2:tea:r0' };
  const several = await run(args, { ...routes, 'GET /v2/workers/list': { workers: [WORKER, twin] } });
  assert.deepEqual([several.code, several.server.to('/v2/pools/tea/drain').length], [1, 0]);
  assert.match(several.cli.stderr, /one of 2 engines of tea[^]*drover stop tea/);
  const unknown = await run(['workers', 'shutdown', '--id', 'n-9:no:r0', '--json'], routes);
  assert.deepEqual([unknown.code, unknown.cli.errorRecord['code']], [1, 'WORKER_NOT_FOUND']);
});

test('B-CLI-008, B-MODEL-027: the catalogue is backed up, and how to put the copy back is shown; a model is removed by its name', async () => {
  const taken = {
    ...{ name: 'drover-1.db', size_bytes: 4_096, taken_at_ms: 1, models: 3, verified: true },
    restore: 'cd store && cp backups/drover-1.db drover.db',
  };
  const { code, cli } = await run(['catalog', 'backup'], { 'POST /v2/catalog/backup': taken });
  assert.deepEqual([code, cli.stdout], [0, 'drover-1.db\n'], cli.stderr);
  assert.match(cli.stderr, /3 models and all else, 4096 bytes[^]*with Drover stopped:\n +cd store && cp/);
  for (const args of [
    ['models', 'rm', 'tea'],
    ['rm', 'tea'],
  ]) {
    const removed = await run(args, { 'DELETE /v2/catalog/models/tea': {} });
    assert.deepEqual([removed.code, removed.cli.stdout], [0, 'removed tea\n'], removed.cli.stderr);
  }
});
