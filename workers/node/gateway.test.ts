import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { newPayloadKey } from '../../security/payload-keys.js';
import { fullDisk } from '../../testing/full-disk.js';
import { workerRoll } from '../../testing/quiet-workers.js';
import { ManualEngine, nodeOnDisk, offerOf, type NodeOptions } from '../../testing/test-node.js';
import { buildGateway } from './gateway.js';
import { nodeMetrics } from './prometheus.js';

const GB = 1024 ** 3;
const TOKEN = 'the-token-of-this-node';
/** What the gateway holds for its token now. */
const held = { token: TOKEN };
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

async function aGateway(t: TestContext, { inTouch = () => true, ...options }: NodeOptions = {}) {
  const logged: Record<string, unknown>[] = [];
  const node = await nodeOnDisk({ slots: 1, ...options });
  const write = (line: string) => logged.push(JSON.parse(line) as Record<string, unknown>);
  const metrics = nodeMetrics();
  const gateway = buildGateway({
    nodeId: 'node-1',
    host: '127.0.0.1',
    token: () => held.token,
    inTouch,
    version: '9.9.9',
    bodyLimitBytes: 1_000,
    runs: node.runs,
    pools: node.pools,
    workers: workerRoll(),
    devices: () => ({ devices: [], problem: null, seen_at_ms: null }),
    announceEngine: () => Promise.resolve({ bound: false }),
    metrics,
    machine: {
      backends: () => ({ allowed: ['cpu', 'cuda'], platform: 'linux', arch: 'x64' }),
      resources: () =>
        Promise.resolve({ ramTotal: GB, ramAvailable: GB, diskTotal: 100 * GB, diskAvailable: 60 * GB }),
    },
    log: pino({ level: 'info' }, { write }),
  });
  t.after(async () => {
    await gateway.close();
    await node.close();
    rmSync(node.runsDir, { recursive: true, force: true });
  });
  return { gateway, logged, node, pools: node.pools, metrics };
}

/** Starts the node worker with nothing but these settings; resolves when it has ended. */
async function startWith(settings: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const env = { PATH: process.env['PATH'] ?? '', DROVER_PAYLOAD_KEYS: newPayloadKey(), ...settings };
  const args = ['--import', 'tsx', MAIN];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = text(child.stderr);
  const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(60_000) })) as [number | null];
  return { code, said: await said };
}

const ROUTES = [
  ...[
    'GET /devices',
    'GET /v1/backends',
    'GET /v1/resources',
    'GET /workers',
    'GET /v1/workers/list',
    'POST /v1/workers/ready',
    'GET /workers/p/r/health',
    'GET /pools',
    'GET /pools/default/status',
    'PUT /pools/p/replicas/r',
    'POST /pools/p/tokens',
    'POST /runs',
    'PUT /runs/t',
  ],
  ...['GET /runs/t', 'GET /runs/t/frames', 'POST /runs/t/confirm', 'POST /runs/t/withdraw'],
  ...['POST /runs/t/cancel', 'POST /runs/t/abandon', 'POST /runs/t/fence', 'GET /nowhere'],
];

test('B-API-028: every route but health and metrics wants the token of the node, and 401 says which is missing or wrong', async (t) => {
  const { gateway } = await aGateway(t);
  for (const route of ROUTES) {
    const [method, url] = route.split(' ') as ['GET' | 'POST' | 'PUT', string];
    for (const [authorization, code] of [
      [undefined, 'MISSING_TOKEN'],
      [`Basic ${TOKEN}`, 'MISSING_TOKEN'],
      [`Bearer ${TOKEN}s`, 'BAD_TOKEN'],
    ] as const) {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await gateway.inject({ method, url, headers });
      assert.deepEqual([route, answer.statusCode], [route, 401]);
      const { error, ...flat } = answer.json<{ code?: string; error?: { code: string } }>();
      assert.equal(flat.code ?? error?.code, code);
    }
    const headers = { authorization: `Bearer ${TOKEN}` };
    assert.notEqual((await gateway.inject({ method, url, headers })).statusCode, 401, route);
  }
  for (const url of ['/health', '/metrics']) assert.equal((await gateway.inject({ url })).statusCode, 200);
});

test('B-OBS-031: requests of the gateway are counted, and those that failed by their code', async (t) => {
  const { gateway, metrics } = await aGateway(t);
  const headers = { authorization: `Bearer ${TOKEN}` };
  for (let ask = 0; ask < 5; ask++) await gateway.inject({ url: '/pools', headers });
  await gateway.inject({ url: '/runs/nobody', headers });
  await gateway.inject({ url: '/runs/nobody/frames', headers });
  await gateway.inject({ url: '/pools' });
  await gateway.inject({ url: '/metrics' });
  const counted = (await metrics.text()).split('\n').filter((line) => /^node_(requests|errors)_/.test(line));
  assert.deepEqual(counted, [
    'node_requests_total 8',
    'node_errors_total{error_kind="TASK_NOT_FOUND"} 2',
    'node_errors_total{error_kind="MISSING_TOKEN"} 1',
  ]);
});

test('design 2.7: out of touch with Temporal a node takes no task, and says nothing of those it may have lost', async (t) => {
  const touch = { isThere: true };
  const { gateway, node } = await aGateway(t, { inTouch: () => touch.isThere });
  const ask = (method: 'GET' | 'POST' | 'PUT', url: string, payload?: object) =>
    gateway.inject({
      method,
      url,
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(payload && { payload }),
    });
  await node.runs.attach(offerOf('t'));
  touch.isThere = false;
  node.runs.holdAll();
  for (const [method, url, body] of [
    ['POST', '/runs', offerOf('u')],
    ['PUT', '/runs/t', offerOf('t')],
    ['GET', '/pools', undefined],
    ['GET', '/runs/t', undefined],
    ['GET', '/runs/t/frames', undefined],
  ] as const) {
    const answer = await ask(method, url, body);
    assert.deepEqual([url, answer.statusCode], [url, 503]);
    assert.equal(answer.json<{ code: string }>().code, 'POOL_UNAVAILABLE');
    assert.equal(answer.headers['retry-after'], '1');
  }
  const fenced = await ask('POST', '/runs/t/fence', { epoch: 2 });
  assert.equal(fenced.statusCode, 200);
  assert.equal(fenced.json<{ run: { confirmed: boolean } }>().run.confirmed, true);
  touch.isThere = true;
  assert.equal((await ask('GET', '/runs/t')).statusCode, 404);
  assert.equal((await ask('POST', '/runs/t/fence', { epoch: 1 })).statusCode, 400);
});

test('design 2.7: a reader of frames that were lost is told so', async (t) => {
  const { gateway, node } = await aGateway(t);
  const headers = { authorization: `Bearer ${TOKEN}` };
  await node.runs.attach({ ...offerOf('t'), epoch: 2 });
  await node.engine.asked(1);
  node.engine.finish('EOS');
  await node.runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const lost = await gateway.inject({ url: '/runs/t/frames?from=7', headers });
  assert.equal(lost.json<{ code: string }>().code, 'WORKER_RESET');
});

test('B-SECR-008: another token holds from the moment that the node has it, the one before no more', async (t) => {
  const { gateway } = await aGateway(t);
  const status = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await gateway.inject({ url: '/devices', headers })).statusCode;
  };
  assert.deepEqual([await status(TOKEN), await status('the-next-token')], [200, 401]);
  t.after(() => (held.token = TOKEN));
  held.token = 'the-next-token';
  assert.deepEqual([await status(TOKEN), await status('the-next-token')], [401, 200]);
});

test('what a gateway on loopback tells without a token it tells under the names of loopback alone, and never to pages', async (t) => {
  const { gateway } = await aGateway(t);
  for (const url of ['/health', '/metrics']) {
    const answer = await gateway.inject({ url, headers: { host: 'localhost:9200' } });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['cross-origin-resource-policy'], 'same-origin');
    const rebound = await gateway.inject({ url, headers: { host: 'evil.example' } });
    assert.deepEqual([rebound.statusCode, rebound.json<{ code: string }>().code], [403, 'FORBIDDEN_HOST']);
  }
  const headers = { host: 'gpu-1.example', authorization: `Bearer ${TOKEN}` };
  assert.equal((await gateway.inject({ url: '/pools', headers })).statusCode, 200);
});

test('B-API-028, B-CONFIG-003, C-118: a node without its token, or with an address that is none, does not start and says why', async () => {
  const nameless = await startWith({});
  assert.equal(nameless.code, 1);
  assert.match(nameless.said, /DROVER_NODE_TOKEN is not set/);
  const lost = await startWith({ DROVER_NODE_TOKEN: TOKEN, DROVER_NODE_ADDR: '127.0.0.1:99999' });
  assert.equal(lost.code, 1);
  assert.match(lost.said, /DROVER_NODE_ADDR: .*"127\.0\.0\.1:99999"/);
});

test('B-SEC-014: a node that may not run its engines as it is told does not start', async () => {
  const isRoot = process.getuid?.() === 0;
  const policy: Record<string, string> = isRoot
    ? { DROVER_NODE_ROOT_ENGINES: 'refuse' }
    : { DROVER_NODE_ENGINE_USER: '65533' };
  const { code, said } = await startWith({ DROVER_NODE_TOKEN: TOKEN, ...policy });
  assert.equal(code, 1);
  assert.match(said, isRoot ? /engines would run as root/ : /only root can start engines as one/);
});

test('B-API-022, B-ERROR-001, B-ERROR-002, B-ERROR-003: a registry that cannot be read is 500 with a message, and is logged', async (t) => {
  const { gateway, logged, pools } = await aGateway(t);
  pools.status = () => {
    throw new Error('the registry is broken');
  };
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await gateway.inject({ url: '/pools/default/status', headers });
  assert.equal(answer.statusCode, 500);
  const { code, message } = answer.json<{ code: string; message: string }>();
  assert.deepEqual([code, message], ['INTERNAL', 'the node failed']); // The reason is the operator's.
  const line = logged.find(({ msg }) => msg === 'request failed');
  assert.match(JSON.stringify(line?.['err']), /the registry is broken/);
});

test('what finds no room on the disk is 503, and says when to come again', async (t) => {
  const { state, openLog } = fullDisk();
  const { gateway, node } = await aGateway(t, { openLog });
  await node.runs.offer(offerOf('a'));
  state.isFull = true;
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await gateway.inject({ method: 'POST', url: '/runs/a/confirm', headers });
  assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '5']);
  assert.equal(answer.json<{ code: string }>().code, 'POOL_UNAVAILABLE');
});

test('a stream of an offer that is dropped ends, also where its run had come to its end', async (t) => {
  const { gateway, node } = await aGateway(t);
  await node.runs.offer(offerOf('a'));
  await node.engine.asked(1);
  node.engine.say('one');
  node.engine.finish('EOS');
  await node.runs.waitForEnd('a', AbortSignal.timeout(5_000));
  const url = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const response = await fetch(`${url}/runs/a/frames`, { headers, signal: AbortSignal.timeout(10_000) });
  node.runs.withdraw('a');
  assert.equal((await response.text()).trim(), '');
});

test('tokens are counted by the engine of the pool, and refused where it tells nobody its tokens', async (t) => {
  const input = { kind: 'chat', messages: [{ role: 'user', content: 'Hello' }] };
  const headers = { authorization: `Bearer ${TOKEN}` };
  const count = async (options: NodeOptions, pool = 'default', payload: object = { input }) => {
    const { gateway } = await aGateway(t, options);
    const answer = await gateway.inject({ method: 'POST', url: `/pools/${pool}/tokens`, headers, payload });
    return [answer.statusCode, answer.json<{ tokens?: number; code?: string }>()] as const;
  };
  assert.deepEqual(await count({}), [200, { tokens: 3 }]);
  const byText = new ManualEngine() as Pick<ManualEngine, 'health' | 'props' | 'probe' | 'close'>;
  const adapterOf = () => ({
    ...byText,
    takes: 'text' as const,
    goesOn: () => false,
    complete: () => assert.fail(),
  });
  const [status, refusal] = await count({ adapterOf });
  assert.deepEqual([status, refusal.code], [400, 'INVALID_PARAMS']);
  assert.equal((await count({}, 'elsewhere'))[0], 404);
  assert.equal((await count({}, 'default', {}))[0], 400);
});

test('what a request said beside its task is told to whom asks how the run stands', async (t) => {
  const { gateway, node } = await aGateway(t);
  const dialect = { object: 'message' as const, include_usage: true };
  const view = await node.runs.attach({ ...offerOf('t'), dialect });
  assert.equal(view.dialect, null);
  const headers = { authorization: `Bearer ${TOKEN}` };
  const seen = await gateway.inject({ url: '/runs/t', headers });
  assert.deepEqual(seen.json<{ dialect: unknown }>().dialect, dialect);
});

test('B-NODE-030, B-NODE-033, B-NODE-034: a node says that it is alive, what it computes on, and what it has left', async (t) => {
  const { gateway } = await aGateway(t);
  const health = await gateway.inject({ url: '/v1/health' });
  assert.deepEqual(
    [health.statusCode, health.json()],
    [200, { status: 'alive', version: '9.9.9', api_version: 'v1' }],
  );
  const ask = async (url: string) =>
    (await gateway.inject({ url, headers: { authorization: `Bearer ${TOKEN}` } })).json<unknown>();
  assert.deepEqual(await ask('/v1/backends'), {
    backends: [
      { backend: 'cuda', available: false, reason: 'the driver lists no GPU' },
      { backend: 'cpu', available: true, reason: null },
      { backend: 'metal', available: false, reason: 'DROVER_NODE_BACKENDS does not name it' },
    ],
  });
  const { warnings, ...resources } = (await ask('/v1/resources')) as { warnings: string[] };
  assert.deepEqual(resources, {
    ...{ ram_total_gb: 1, ram_available_gb: 1, disk_total_gb: 100, disk_available_gb: 60 },
  });
  assert.match(warnings.join('|'), /^1 GB of memory [^|]*$/);
});
