import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { poolHealth, poolList, type PoolHealth } from '../../../contracts/pool.js';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const prepared = {
  pool_id: 'gpu-0',
  engine_version: 'b1',
  binary_path: '/opt/llama-server',
  port: 9_001,
  model_path: '/models/a.gguf',
  model_ref: 'file:/models/a.gguf',
  slots_total: 2,
  ctx_max: 4_096,
};

describe('pools over two nodes', () => {
  let api: TestApi;
  beforeEach(async () => {
    const nodes = new MemoryNodes(['node-1', 'node-2']);
    nodes.poolsOf.set('node-1', [
      readyPool({ pool_id: 'b', queue_depth: 2, active_leases: 3, slots_free: 1 }),
    ]);
    nodes.poolsOf.set('node-2', [
      readyPool({
        pool_id: 'b',
        state: 'failed',
        live: false,
        ready: false,
        slots_free: 0,
        last_error: 'oom',
      }),
      readyPool({ pool_id: 'a', state: 'draining', ready: false, draining: true }),
    ]);
    api = await startTestApi({ nodes, now: () => (clock += 10_000) });
  });
  afterEach(() => api.close());
  let clock = 0;

  const health = (id: string) => api.ask('GET', `/v2/pools/${id}/health`);

  it('B-CP-072: are listed once each, sorted by id', async () => {
    const answer = await api.ask('GET', '/v2/pools');
    assert.equal(answer.statusCode, 200);
    const { pools } = poolList.parse(answer.json());
    assert.deepEqual(
      pools.map(({ pool_id, node_ids }) => [pool_id, node_ids]),
      [
        ['a', ['node-2']],
        ['b', ['node-1', 'node-2']],
      ],
    );
  });

  it('B-CP-010, B-CP-011, B-CP-014, B-CP-015: a pool is as well as its best replica, with real depth and slots', async () => {
    const answer = await health('b');
    assert.equal(answer.statusCode, 200);
    const pool = poolHealth.strict().parse(answer.json());
    assert.deepEqual([pool.live, pool.ready, pool.draining, pool.last_error], [true, true, false, null]);
    assert.deepEqual([pool.slots_total, pool.slots_free, pool.active_leases], [8, 1, 3]);
    assert.equal(pool.metrics.queue_depth, 2);
  });

  it('B-CP-013: a draining pool says so', async () => {
    const { draining, ready } = (await health('a')).json<PoolHealth>();
    assert.deepEqual([draining, ready], [true, false]);
  });

  it('B-CP-012, C-020: an unknown pool is 404', async () => {
    const answer = await health('nobody');
    assert.equal(answer.statusCode, 404);
    assert.equal(answer.json<{ code: string }>().code, 'POOL_NOT_FOUND');
  });

  it('B-CP-016: a pool whose node is away is neither live nor ready, and says why', async () => {
    await health('a');
    api.nodes.away.add('node-2');
    const answer = await health('a');
    assert.equal(answer.statusCode, 200);
    const { live, ready, last_error } = answer.json<PoolHealth>();
    assert.deepEqual([live, ready], [false, false]);
    assert.match(last_error ?? '', /node .* cannot be reached/);
  });

  it('an unknown pool is no 404 while a node that may have it is away', async () => {
    api.nodes.away.add('node-2');
    const answer = await health('nobody');
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.json<{ code: string }>().code, 'POOL_UNAVAILABLE');
  });
});

describe('POST /v2/pools/:id/preload', () => {
  let api: TestApi;
  let nodes: MemoryNodes;
  beforeEach(async () => {
    nodes = new MemoryNodes(['node-1', 'node-2']);
    api = await startTestApi({ nodes });
  });
  afterEach(() => api.close());

  const preload = (body: object = { prepared }, id = 'gpu-0') =>
    api.ask('POST', `/v2/pools/${id}/preload`, { payload: body, headers: { 'x-correlation-id': 'pre-1' } });

  it('B-PRELOAD-025, B-CP-070: a preload that ends in time answers with its result', async () => {
    const result = { pool_id: 'gpu-0', pid: 42, handoff_path: '/run/engines/gpu-0-r0.json' };
    api.records.preloadOutcome = { kind: 'done', result };
    const answer = await preload();
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json(), result);
    const [input] = api.records.preloads;
    assert.equal(input?.correlation_id, 'pre-1');
    assert.equal(input.health_timeout_ms, 120_000);
    assert.equal(input.prepared.replica_id, 'r0');
  });

  it('B-WRK-014: an engine that tells how its model loads gets five minutes for it, another one two, unless the caller says', async () => {
    const flags = ['/opt/drover/engines/embedded/main.js', '--model', '/models/a.gguf'];
    await preload({ prepared: { ...prepared, flags } });
    await preload({ prepared });
    await preload({ prepared: { ...prepared, flags }, health_timeout_ms: 7_000 });
    assert.deepEqual(
      api.records.preloads.map(({ health_timeout_ms }) => health_timeout_ms),
      [300_000, 120_000, 7_000],
    );
  });

  it('B-WPRE-008: a backend that no engine computes on is 400 with the ones that there are', async () => {
    for (const backend of ['rocm', 'CUDA', 'tpu', '', 7]) {
      const answer = await preload({ prepared: { ...prepared, backend } });
      assert.equal(answer.statusCode, 400, String(backend));
      const { code, details } = answer.json<{
        code: string;
        details: { field: string; problem: string }[];
      }>();
      assert.deepEqual([code, details.map(({ field }) => field)], ['INVALID_PARAMS', ['prepared.backend']]);
      assert.match(details[0]?.problem ?? '', /"cuda"\|"cpu"\|"metal"/);
    }
    assert.deepEqual(api.records.preloads, []);
    for (const backend of ['cpu', 'cuda', 'metal'])
      assert.notEqual((await preload({ prepared: { ...prepared, backend }, wait_ms: 0 })).statusCode, 400);
  });

  it('B-WPRE-009: a device that the node does not have is 400, with those that it has', async () => {
    const details = { cause_code: 'DEVICE_UNKNOWN', requested: '7', available: ['0', '1'] };
    const message = 'preload failed: device_mask "7": "7" is unknown';
    api.records.preloadOutcome = { kind: 'failed', code: 'PRELOAD_FAILED', message, details };
    const answer = await preload();
    assert.equal(answer.statusCode, 400);
    const told = answer.json<{ code: string; details: unknown }>();
    assert.deepEqual([told.code, told.details], ['INVALID_PARAMS', details]);
  });

  it('a pool is known as soon as its preload is answered, whatever the node said a moment before', async () => {
    const result = { pool_id: 'gpu-0', pid: 42, handoff_path: '/run/engines/gpu-0-r0.json' };
    api.records.waitPreload = () => {
      nodes.poolsOf.set('node-1', [readyPool({ pool_id: 'gpu-0' })]);
      return Promise.resolve({ kind: 'done', result });
    };
    await preload();
    assert.equal((await api.ask('GET', '/v2/pools/gpu-0/health')).statusCode, 200);
  });

  it('B-CP-070: one that takes longer goes on under its operation id', async () => {
    const answer = await preload({ prepared, wait_ms: 0 });
    assert.equal(answer.statusCode, 202);
    assert.deepEqual(answer.json(), {
      operation_id: 'pool:gpu-0:preload',
      status: 'running',
      href: '/v2/operations/pool%3Agpu-0%3Apreload',
    });
  });

  for (const [code, message, status, said] of [
    [
      'PRELOAD_FAILED',
      'preload failed: health check failed: 503',
      500,
      'preload failed: health check failed: 503',
    ],
    ['PRELOAD_FAILED', 'spawn: no such file', 500, 'preload failed: spawn: no such file'],
    ['POOL_CONFLICT', 'preload failed: another engine runs', 409, 'preload failed: another engine runs'],
    ['POOL_UNAVAILABLE', 'preload failed: the node is gone', 503, 'preload failed: the node is gone'],
  ] as const) {
    it(`B-API-012: a failed one is ${status} ${code} with its cause`, async () => {
      api.records.preloadOutcome = { kind: 'failed', code, message };
      const answer = await preload();
      assert.equal(answer.statusCode, status);
      const body = answer.json<Record<string, unknown>>();
      assert.deepEqual([body['code'], body['message'], body['pool_id']], [code, said, 'gpu-0']);
    });
  }

  it('B-API-019, C-040: the id of the address must be the one of the body', async () => {
    const answer = await preload({ prepared }, 'gpu-1');
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json<{ details: { field: string }[] }>().details[0]?.field, 'prepared.pool_id');
    assert.deepEqual(api.records.preloads, []);
  });

  it('goes to the node that has the pool, else to the one with the fewest', async () => {
    api.nodes.poolsOf.set('node-1', [readyPool(), readyPool({ pool_id: 'gpu-0' })]);
    await preload();
    await preload({ prepared: { ...prepared, pool_id: 'gpu-7' } }, 'gpu-7');
    assert.deepEqual(
      api.records.preloads.map(({ node_id }) => node_id),
      ['node-1', 'node-2'],
    );
  });

  it('names what a launch description lacks', async () => {
    const answer = await preload({ prepared: { pool_id: 'gpu-0', binary_path: 'relative' } });
    assert.equal(answer.statusCode, 400);
    const fields = answer.json<{ details: { field: string }[] }>().details.map(({ field }) => field);
    assert.ok(
      fields.includes('prepared.binary_path') && fields.includes('prepared.model_path'),
      fields.join(),
    );
  });

  it('while no node or no Temporal is there, it is not taken', async () => {
    api.records.down = true;
    assert.equal((await preload()).json<{ code: string }>().code, 'TEMPORAL_UNAVAILABLE');
    api.records.down = false;
    const lonely = await startTestApi();
    lonely.nodes.away.add('node-1');
    const answer = await lonely.ask('POST', '/v2/pools/gpu-0/preload', { payload: { prepared } });
    assert.equal(answer.json<{ code: string }>().code, 'POOL_UNAVAILABLE');
    await lonely.close();
  });
});
