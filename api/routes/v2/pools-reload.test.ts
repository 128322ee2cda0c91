import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const OPERATION = 'pool:gpu-0:reload';
const REF = { new_model_ref: 'file:/models/b.gguf' };

describe('POST /v2/pools/:id/reload', () => {
  let api: TestApi;
  beforeEach(async () => {
    const nodes = new MemoryNodes(['node-1', 'node-2']);
    nodes.poolsOf.set('node-2', [readyPool({ pool_id: 'gpu-0' })]);
    api = await startTestApi({ nodes });
  });
  afterEach(() => api.close());

  const reload = (payload: object = REF, id = 'gpu-0') =>
    api.ask('POST', `/v2/pools/${id}/reload`, { payload, headers: { 'x-correlation-id': 'reload-1' } });
  const errorOf = (answer: Awaited<ReturnType<typeof reload>>) => {
    const { code, message } = answer.json<Record<string, string>>();
    return { status: answer.statusCode, code, message: message ?? '' };
  };

  it('B-CP-030, B-CP-070: goes to the node that has the pool, and answers with its operation when that takes longer', async () => {
    const answer = await reload({ ...REF, wait_ms: 0 });
    assert.equal(answer.statusCode, 202);
    assert.deepEqual(answer.json(), {
      operation_id: OPERATION,
      status: 'running',
      href: `/v2/operations/${encodeURIComponent(OPERATION)}`,
    });
    assert.deepEqual(api.records.reloads, [
      {
        ...{ ...REF, node_id: 'node-2', pool_id: 'gpu-0', correlation_id: 'reload-1' },
        ...{ drain_deadline_ms: 60_000, force: false, strategy: 'auto' },
      },
    ]);
  });

  it('B-CP-033: one that succeeds answers with its outcome', async () => {
    const result = {
      pool_id: 'gpu-0',
      success: true,
      rolled_back: false,
      new_engine_version: 'b2',
      duration_ms: 9,
    };
    api.records.reloadOutcome = { kind: 'done', result };
    const answer = await reload();
    assert.deepEqual([answer.statusCode, answer.json()], [200, result]);
  });

  it('B-CP-031: one that fails is 409 RELOAD_FAILED with the reason', async () => {
    const message = 'reload failed: health check failed: 503';
    api.records.reloadOutcome = { kind: 'failed', code: 'RELOAD_FAILED', message };
    assert.deepEqual(errorOf(await reload()), { status: 409, code: 'RELOAD_FAILED', message });
  });

  it('B-CP-030: without a model or a launch it is not taken', async () => {
    const answer = await reload({ drain_deadline_ms: 5 });
    assert.equal(answer.statusCode, 400);
    const { code, details } = answer.json<{ code: string; details: { field: string }[] }>();
    assert.deepEqual([code, details[0]?.field], ['INVALID_PARAMS', 'new_model_ref']);
    assert.deepEqual(api.records.reloads, []);
  });

  it('B-CP-036: of an unknown pool is 404', async () => {
    assert.equal(errorOf(await reload(REF, 'nobody')).code, 'POOL_NOT_FOUND');
  });

  for (const verb of ['reload', 'drain', 'preload']) {
    it(`B-CP-037, B-RELOAD-018: is 409 while a ${verb} of the pool runs, which it names`, async () => {
      api.records.running.add(`pool:gpu-0:${verb}`);
      const { status, code, message } = errorOf(await reload());
      assert.deepEqual([status, code], [409, 'POOL_CONFLICT']);
      assert.ok(message.includes(`pool:gpu-0:${verb}`), message);
      assert.deepEqual(api.records.reloads, []);
    });
  }

  it('B-CP-037: a drain is 409 while a reload runs, which it names', async () => {
    api.records.running.add(OPERATION);
    const answer = await api.ask('POST', '/v2/pools/gpu-0/drain', { payload: { deadline_ms: 1 } });
    const { status, code, message } = errorOf(answer);
    assert.deepEqual([status, code], [409, 'POOL_CONFLICT']);
    assert.ok(message.includes(OPERATION), message);
    assert.deepEqual(api.records.drains, []);
  });
});
