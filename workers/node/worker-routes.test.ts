/** Workers of a node call back: the gateway as it is, and the embedded engine as a real process. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { readArguments, readEnvironment } from '../../activities/process/process-table.js';
import { preparedEngine } from '../../contracts/pool.js';
import { readSettings } from '../../contracts/settings.js';
import type { WorkerReport } from '../../contracts/worker-report.js';
import { eventually } from '../../testing/changes.js';
import { freePort } from '../../testing/free-port.js';
import { poolNode } from '../../testing/pool-node.js';
import { workerRoll } from '../../testing/quiet-workers.js';
import { nodeOnDisk } from '../../testing/test-node.js';
import { prepareModel } from '../../testing/xllamacpp/engine-under-test.js';
import { followLoading } from './follow-loading.js';
import { buildGateway } from './gateway.js';
import { gatewayUrl } from './gateway-url.js';
import { thisMachine } from './machine.js';
import type { PoolRegistry } from './pool-registry.js';
import { nodeMetrics } from './prometheus.js';
import { READY_CALLBACK_PATH } from './worker-routes.js';
import type { WorkerRoll } from './worker-roll.js';

const TOKEN = 'the-token-of-this-node';
/** An engine has a working directory of its own: nothing is found from there. */
const TSX = import.meta.resolve('tsx');
const PROGRAM = join(import.meta.dirname, '..', '..', 'engines', 'embedded', 'main.ts');

/** A launch of the embedded engine. */
function launch(port: number, changes: object = {}) {
  return preparedEngine.parse({
    ...{ pool_id: 'gpu-0', engine_version: '1', binary_path: process.execPath, port, backend: 'cpu' },
    flags: ['--import', TSX, PROGRAM, '--port', String(port)],
    ...{ model_path: '/m/tea.gguf', model_ref: 'file:/m/tea.gguf', slots_total: 4, ctx_max: 512 },
    ...changes,
  });
}

async function gatewayWith(t: TestContext, workers: WorkerRoll, pools?: PoolRegistry) {
  const node = await nodeOnDisk({ slots: 0 });
  const gateway = buildGateway({
    ...{ nodeId: 'node-1', host: '127.0.0.1', token: () => TOKEN, version: '9.9.9', bodyLimitBytes: 10_000 },
    ...{ inTouch: () => true, runs: node.runs, pools: pools ?? node.pools, workers },
    devices: () => ({ devices: [], problem: null, seen_at_ms: null }),
    announceEngine: () => Promise.resolve({ bound: false }),
    metrics: nodeMetrics(),
    machine: thisMachine(readSettings({})),
    log: pino({ level: 'silent' }),
  });
  t.after(async () => {
    await gateway.close();
    await node.close();
    rmSync(node.runsDir, { recursive: true, force: true });
  });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const call = async (body: object, token = TOKEN) => {
    const answer = await gateway.inject({
      method: 'POST',
      url: READY_CALLBACK_PATH,
      payload: body,
      headers: bearer(token),
    });
    return { status: answer.statusCode, body: answer.json<{ error?: { code: string; details: object } }>() };
  };
  const list = async () => {
    const answer = await gateway.inject({ url: '/v1/workers/list', headers: bearer(TOKEN) });
    return answer.json<{ workers: WorkerReport[] }>().workers;
  };
  return { gateway, call, list, pools: pools ?? node.pools };
}

/** A roll whose workers tell the progress that the test says. */
function expecting() {
  let nowMs = 0;
  const workers = workerRoll({
    callbackUrl: () => 'http://127.0.0.1:1/v1/workers/ready',
    follow: (_source, tell) => {
      tell({ stage: 'loading_to_vram', layers_loaded: 3, layers_total: 28, vram_mb: 512 });
      return Promise.resolve();
    },
    now: () => nowMs,
  });
  return { workers, pass: (ms: number) => (nowMs += ms) };
}

const told = (changes: object = {}) => ({
  ...{ worker_id: 'node-1:gpu-0:r0', url: 'http://127.0.0.1:8001', model_ref: 'file:/m/tea.gguf' },
  ...{ backend: 'cpu', device: null, ...changes },
});

test('B-WRK-006: a callback with a URL without scheme, host or port is 400 INVALID_WORKER_URL, and changes nothing', async (t) => {
  const { workers } = expecting();
  const { call, list, pools } = await gatewayWith(t, workers);
  pools.starting(launch(8001));
  workers.enrol(launch(8001), 'token');
  for (const url of ['ftp://127.0.0.1:8001', 'http://127.0.0.1', 'http://:8001', '', undefined]) {
    const { status, body } = await call(told({ url }));
    assert.deepEqual([url, status, body.error?.code], [url, 400, 'INVALID_WORKER_URL']);
    assert.deepEqual(body.error?.details, { worker_id: 'node-1:gpu-0:r0' });
  }
  assert.deepEqual(
    (await list()).map(({ url }) => url),
    [null],
  );
});

test('B-WRK-012: a worker that nobody has started here is 404, and is not on the list afterwards', async (t) => {
  const { workers } = expecting();
  const { call, list } = await gatewayWith(t, workers);
  const { status, body } = await call(told());
  assert.deepEqual([status, body.error?.code], [404, 'WORKER_NOT_FOUND']);
  assert.deepEqual(await list(), []);
  const one = launch(8001);
  const other = launch(8002, { pool_id: 'gpu-1' });
  workers.enrol(one, 'a');
  const { DROVER_WORKER_KEY: key = '' } = workers.enrol(other, 'b')?.secrets ?? {};
  assert.equal((await call(told(), key)).status, 404, 'the key of another worker');
  assert.equal((await call(told(), 'no key of anybody')).status, 401);
  workers.forget(other);
  assert.equal((await call(told({ worker_id: 'node-1:gpu-1:r0' }), key)).status, 401, 'one that is gone');
});

test('B-WRK-008, B-WRK-009: a callback is accepted with url or uri, and its worker is loading, with no slot free', async (t) => {
  for (const where of [{ url: 'http://127.0.0.1:8001' }, { url: undefined, uri: 'http://127.0.0.1:8001' }]) {
    const { workers } = expecting();
    const { call, list, pools } = await gatewayWith(t, workers);
    const prepared = launch(8001);
    pools.onLoading((replica) => workers.loading(replica));
    pools.starting(prepared);
    const { DROVER_WORKER_KEY: key = '' } = workers.enrol(prepared, 'token')?.secrets ?? {};
    const { status, body } = await call(told({ ...where, device: 'GPU0', vram_bytes: 7 }), key);
    assert.deepEqual(
      [status, body],
      [200, { accepted: true, worker_id: 'node-1:gpu-0:r0', state: 'loading' }],
    );
    assert.equal((await call(told(where), key)).status, 200, 'said again');
    const [worker, ...others] = await list();
    assert.deepEqual(others, []);
    const { url, state, slots_total, slots_available, loading } = worker ?? {};
    assert.deepEqual(
      { url, state, slots_total, slots_available },
      { url: 'http://127.0.0.1:8001', state: 'loading', slots_total: 4, slots_available: 0 },
    );
    assert.deepEqual(loading, { layers_loaded: 3, layers_total: 28, vram_mb: 512 });
    assert.deepEqual(pools.status('gpu-0')?.loading, loading);
  }
});

test('a worker beside another of its replica is listed while it loads, and no more when it is forgotten', async (t) => {
  const { workers } = expecting();
  const { call, list } = await gatewayWith(t, workers);
  const beside = launch(8003, { replica_id: 'r0.next' });
  workers.enrol(beside, 'token');
  await call(told({ worker_id: 'node-1:gpu-0:r0.next', url: 'http://127.0.0.1:8003' }));
  assert.deepEqual(
    (await list()).map(({ worker_id, state }) => [worker_id, state]),
    [['node-1:gpu-0:r0.next', 'loading']],
  );
  workers.forget(beside);
  assert.deepEqual(await list(), []);
});

test('B-WRK-004: a worker is told who it is by arguments and its key by the environment; other engines are told nothing', () => {
  const { workers } = expecting();
  const prepared = launch(8001, { backend: 'cuda', device_mask: 'GPU0,GPU1' });
  const enrolled = workers.enrol(prepared, 'token');
  assert.ok(enrolled !== undefined);
  assert.deepEqual(enrolled.flags, [
    ...['--worker-id', 'node-1:gpu-0:r0', '--callback-url', 'http://127.0.0.1:1/v1/workers/ready'],
    ...['--model-ref', 'file:/m/tea.gguf', '--backend', 'cuda', '--device', 'GPU0,GPU1'],
  ]);
  const key = enrolled.secrets['DROVER_WORKER_KEY'] ?? '';
  assert.match(key, /^[0-9a-f]{64}$/);
  assert.doesNotMatch(JSON.stringify(enrolled.flags), new RegExp(`${key}|${TOKEN}`));
  assert.equal(workers.enrol(prepared, 'token')?.secrets['DROVER_WORKER_KEY'], key);
  assert.notEqual(workers.enrol(prepared, 'another spawn')?.secrets['DROVER_WORKER_KEY'], key);
  assert.equal(
    workers.enrol(launch(8001, { flags: ['--model', '/m/tea.gguf', '--port', '8001'] }), 'token'),
    undefined,
  );
});

test('the gateway is reached on this machine, whatever it listens on', () => {
  assert.equal(gatewayUrl('0.0.0.0:9200', '/x'), 'http://127.0.0.1:9200/x');
  assert.equal(gatewayUrl('[::]:9200', '/x'), 'http://[::1]:9200/x');
  assert.equal(gatewayUrl('10.0.0.7:9200', '/x'), 'http://10.0.0.7:9200/x');
  assert.equal(gatewayUrl('127.0.0.1:0', '/x'), null);
});

test('B-WRK-007, B-WRK-009, B-WRK-004: the embedded engine calls back when its HTTP is up, and is idle with all slots once it serves', async (t) => {
  const { model, remove } = await prepareModel();
  t.after(remove);
  const port = await freePort();
  let callback: string | null = null;
  const seen: (WorkerReport | undefined)[] = [];
  const workers = workerRoll({
    callbackUrl: () => callback,
    follow: async (source, tell, signal) => {
      seen.push((await list())[0]);
      await followLoading(source, tell, signal);
      seen.push((await list())[0]);
    },
  });
  const node = await poolNode(t, { workers });
  const { gateway, list } = await gatewayWith(t, workers, node.pools);
  callback = `${await gateway.listen({ host: '127.0.0.1', port: 0 })}${READY_CALLBACK_PATH}`;
  const prepared = launch(port, {
    ...{ model_path: model, slots_total: 2 },
    flags: [
      '--import',
      TSX,
      PROGRAM,
      '--model',
      model,
      '--port',
      String(port),
      '--parallel',
      '2',
      '--threads',
      '1',
    ],
  });
  await node.run('markPoolStarting', prepared);
  assert.deepEqual(
    (await list()).map(({ url, state }) => [url, state]),
    [[null, 'loading']],
  );
  const engine = await node.run('spawnEngine', prepared);
  const argv = (await readArguments(engine.pid)) ?? [];
  const key = (await readEnvironment(engine.pid))?.get('DROVER_WORKER_KEY') ?? '';
  for (const flag of ['--worker-id', '--model', '--backend', '--port', '--callback-url'])
    assert.equal(argv.filter((argument) => argument === flag).length, 1, flag);
  assert.equal(workers.hasKey(key), true);
  assert.equal(argv.join(' ').includes(key), false);
  await eventually(
    () => 'the engine to have loaded its model',
    () =>
      node.run('awaitEngineReady', { prepared, engine }).then(
        () => true,
        () => undefined,
      ),
  );
  const url = `http://127.0.0.1:${port}`;
  await eventually(
    () => 'its progress to end',
    () => (seen.length === 2 ? true : undefined),
  );
  assert.deepEqual(
    seen.map((worker) => [worker?.url, worker?.state, worker?.slots_available]),
    [
      [url, 'loading', 0],
      [url, 'loading', 0],
    ],
  );
  assert.deepEqual(seen[1]?.loading, { layers_loaded: 1, layers_total: 1, vram_mb: 0 });
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  const [worker] = await list();
  assert.deepEqual(
    [worker?.state, worker?.slots_total, worker?.slots_available, worker?.url],
    ['idle', 2, 2, url],
  );
  assert.equal(worker?.loading, undefined);
  assert.deepEqual(workers.all(), []);
});
