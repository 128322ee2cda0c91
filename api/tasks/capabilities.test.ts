import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { capabilities, type Capabilities } from '../../contracts/meta.js';
import { API_VERSION } from '../plugins/openapi.js';
import { readyPool } from '../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../testing/test-api.js';

describe('what can be asked for', () => {
  let api: TestApi;
  let now = 10_000;
  beforeEach(async () => {
    api = await startTestApi({ now: () => now });
  });
  afterEach(() => api.close());

  const read = async (): Promise<Capabilities> => {
    const answer = await api.ask('GET', '/v2/meta/capabilities');
    assert.equal(answer.statusCode, 200);
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    return capabilities.parse(answer.json());
  };
  const withPools = (...pools: Parameters<typeof readyPool>[0][]) => {
    api.nodes.poolsOf.set('node-1', pools.map(readyPool));
    now += 5_000; // Reports are asked for again.
  };

  it('B-CP-003, B-CP-004, B-CP-005, B-CP-006: is the version of the API and the engines, with what they report', async () => {
    const { api_version, engines } = await read();
    assert.equal(api_version, API_VERSION);
    const { engine, ctx_max, supported_workloads, features, rate_limits } = engines[0] ?? assert.fail();
    assert.deepEqual(
      [engine, ctx_max, supported_workloads, rate_limits],
      ['llamacpp', 4096, ['completion'], {}],
    );
    assert.deepEqual([features['streaming'], features['tools']], [true, undefined]);
  });

  it('B-CP-001, B-CP-002: is worked out once, and the same while nothing has changed', async () => {
    const first = await read();
    now += 60_000;
    withPools({ slots_free: 0, queue_depth: 3, active_leases: 4, last_heartbeat_ms: now });
    assert.deepEqual(await read(), first);
    assert.equal(first.snapshot_ms, 10_000);
  });

  for (const [what, change] of [
    ['engine version', { engine_version: 'b2' }],
    ['model', { model_name: 'other' }],
    ['context', { ctx_max: 8_192 }],
    ['number of slots', { slots_total: 8 }],
  ] as const) {
    it(`B-CP-007: is worked out again when the ${what} changes`, async () => {
      const first = await read();
      withPools(change);
      const second = await read();
      assert.equal(second.snapshot_ms, now);
      assert.notDeepEqual(second.engines, first.engines);
    });
  }

  it('B-CP-007: lists no engine that is not ready, and adds up what several pools have', async () => {
    withPools(
      { pool_id: 'a', slots_total: 2, ctx_max: 1_024, model_name: 'one' },
      { pool_id: 'b', slots_total: 3, ctx_max: 2_048, model_name: 'two' },
      { pool_id: 'c', engine: 'vllm', ready: false, state: 'starting' },
    );
    const { engines } = await read();
    assert.deepEqual(
      engines.map(({ engine, concurrency, ctx_max, models, pools }) => [
        engine,
        concurrency,
        ctx_max,
        models,
        pools,
      ]),
      [['llamacpp', 5, 2_048, ['one', 'two'], ['a', 'b']]],
    );
    withPools({ ready: false, state: 'failed' });
    assert.deepEqual((await read()).engines, []);
  });

  it('B-CP-008: the build says its version, and of what it was made', async () => {
    const answer = await api.ask('GET', '/v2/meta/version');
    assert.deepEqual(answer.json(), {
      api_version: API_VERSION,
      version: '9.9.9',
      build_commit: null,
      build_time: null,
    });
  });

  it('B-CP-009: nothing of it is served under /v1', async () => {
    for (const path of [
      '/v1/replicasets',
      '/v1/capabilities',
      '/v1/meta/capabilities',
      '/v1/tasks',
      '/v1/pools',
    ]) {
      assert.equal((await api.ask('GET', path)).statusCode, 404, path);
    }
  });

  it('B-CP-005, B-CP-007: has the workloads that some pool of the engine does, once they are known', async () => {
    withPools({ workloads: ['completion', 'embedding'] }, { pool_id: 'other', workloads: ['rerank'] });
    const { supported_workloads, features } = (await read()).engines[0] ?? assert.fail();
    assert.deepEqual(supported_workloads, ['completion', 'embedding', 'rerank']);
    assert.deepEqual([features['embeddings'], features['rerank']], [true, true]);
    withPools({ workloads: null });
    const { features: unknown } = (await read()).engines[0] ?? assert.fail();
    assert.deepEqual([unknown['embeddings'], unknown['rerank']], [false, false]);
  });
});
