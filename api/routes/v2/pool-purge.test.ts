import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PoolStatus } from '../../../contracts/pool.js';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const OPERATION = 'pool:gpu-0:purge';
const DEFAULTS = {
  ...{ purge_engine: false, purge_models: [], drain_first: true, drain_deadline_ms: 60_000 },
  ...{ delete_cache_dirs: false, force: false },
};

describe('POST /v2/pools/:id/purge', () => {
  let api: TestApi;
  beforeEach(async () => {
    const nodes = new MemoryNodes(['node-1', 'node-2']);
    nodes.poolsOf.set('node-2', [readyPool({ pool_id: 'gpu-0' })]);
    api = await startTestApi({ nodes });
  });
  afterEach(() => api.close());

  const purge = (payload?: object, id = 'gpu-0') =>
    api.ask('POST', `/v2/pools/${id}/purge`, {
      ...(payload === undefined ? {} : { payload }),
      headers: { 'x-correlation-id': 'purge-1' },
    });
  const errorOf = (answer: Awaited<ReturnType<typeof purge>>) => {
    const { code, message } = answer.json<Record<string, string>>();
    return { status: answer.statusCode, code, message: message ?? '' };
  };
  const becomes = (status: Partial<PoolStatus>) =>
    api.nodes.poolsOf.set('node-2', [readyPool({ pool_id: 'gpu-0', ...status })]);

  it('B-CP-040, B-CP-041, B-CP-070: without a body it is taken with the defaults, and goes on under its id', async () => {
    const answer = await purge();
    assert.equal(answer.statusCode, 202);
    assert.deepEqual(answer.json(), {
      operation_id: OPERATION,
      status: 'running',
      href: `/v2/operations/${encodeURIComponent(OPERATION)}`,
    });
    const where = { node_id: 'node-2', pool_id: 'gpu-0', correlation_id: 'purge-1' };
    assert.deepEqual(api.records.purges, [{ ...DEFAULTS, ...where }]);
  });

  it('B-CP-040: every field is passed on', async () => {
    const order = {
      ...{ purge_engine: true, purge_models: ['tea'], drain_first: false, drain_deadline_ms: 5 },
      ...{ delete_cache_dirs: true, force: true },
    };
    assert.equal((await purge(order)).statusCode, 202);
    const [{ node_id: _node, pool_id: _pool, correlation_id: _id, ...asked } = {}] = api.records.purges;
    assert.deepEqual(asked, order);
  });

  const WRONG: [object, string][] = [
    [{ purge_engines: true }, 'body'],
    [{ purge_engine: 'yes' }, 'purge_engine'],
    [{ purge_models: ['../../etc'] }, 'purge_models.0'],
    [{ purge_models: 'tea' }, 'purge_models'],
    [{ drain_deadline_ms: -1 }, 'drain_deadline_ms'],
  ];
  for (const [body, field] of WRONG) {
    it(`B-CP-040, B-CP-044: ${JSON.stringify(body)} is refused`, async () => {
      const answer = await purge(body);
      const { details } = answer.json<{ details: { field: string; problem: string }[] }>();
      assert.deepEqual([errorOf(answer).status, errorOf(answer).code], [400, 'INVALID_PARAMS']);
      assert.equal(details[0]?.field, field);
      assert.deepEqual(api.records.purges, []);
    });
  }

  it('B-CP-070: one that ends while its caller waits answers with its outcome', async () => {
    const result = {
      ...{ pool_id: 'gpu-0', drained: true, deregistered: true, cache_dirs_deleted: [], duration_ms: 9 },
      models: [{ model_id: 'tea', outcome: 'in_use' as const, pools: ['other'] }],
    };
    api.records.purgeOutcome = { kind: 'done', result };
    const answer = await purge({ wait_ms: 1_000 });
    assert.deepEqual([answer.statusCode, answer.json()], [200, result]);
  });

  it('B-CP-070: one that fails while its caller waits answers with its reason', async () => {
    const message = 'purge failed: the database is away';
    api.records.purgeOutcome = { kind: 'failed', code: 'PURGE_FAILED', message };
    assert.deepEqual(errorOf(await purge({ wait_ms: 1_000 })), {
      status: 500,
      code: 'PURGE_FAILED',
      message,
    });
  });

  it('B-CP-041: of an unknown pool is 404', async () => {
    assert.equal(errorOf(await purge({}, 'nobody')).code, 'POOL_NOT_FOUND');
    assert.deepEqual(api.records.purges, []);
  });

  for (const verb of ['purge', 'reload', 'drain', 'preload']) {
    it(`B-CP-037: is 409 while a ${verb} of the pool runs, which it names`, async () => {
      api.records.running.add(`pool:gpu-0:${verb}`);
      const { status, code, message } = errorOf(await purge());
      assert.deepEqual([status, code], [409, 'POOL_CONFLICT']);
      assert.ok(message.includes(`pool:gpu-0:${verb}`), message);
      assert.deepEqual(api.records.purges, []);
    });
  }

  it('B-CP-042: of a pool that is being loaded is 409, for it cannot be drained', async () => {
    becomes({ state: 'starting', live: false, ready: false });
    const { status, message } = errorOf(await purge());
    assert.equal(status, 409);
    assert.match(message, /starting/);
    assert.equal((await purge({ drain_first: false, purge_models: ['tea'] })).statusCode, 202);
  });

  const OTHERS: [string, object][] = [
    ['drain', { deadline_ms: 1 }],
    ['reload', { new_model_ref: 'file:/models/b.gguf' }],
    ['preload', { prepared: prepared() }],
  ];
  for (const [verb, payload] of OTHERS) {
    it(`B-CP-037: a ${verb} is 409 while the pool is purged`, async () => {
      api.records.running.add(OPERATION);
      const answer = await api.ask('POST', `/v2/pools/gpu-0/${verb}`, { payload });
      const { status, code, message } = errorOf(answer);
      assert.deepEqual([status, code], [409, 'POOL_CONFLICT']);
      assert.ok(message.includes(OPERATION), message);
      const { drains, reloads, preloads } = api.records;
      assert.deepEqual([drains, reloads, preloads], [[], [], []]);
    });
  }
});

function prepared() {
  return {
    ...{ pool_id: 'gpu-0', engine_version: 'b1', binary_path: '/bin/true', port: 1, model_path: '/m.gguf' },
    ...{ model_ref: 'demo', slots_total: 1, ctx_max: 64, backend: 'cpu' },
  };
}
