import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PoolStatus } from '../../../contracts/pool.js';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, taskBody, type TestApi } from '../../testing/test-api.js';

const OPERATION = 'pool:gpu-0:drain';

describe('POST /v2/pools/:id/drain', () => {
  let api: TestApi;
  beforeEach(async () => {
    const nodes = new MemoryNodes(['node-1', 'node-2']);
    nodes.poolsOf.set('node-2', [readyPool({ pool_id: 'gpu-0' })]);
    api = await startTestApi({ nodes });
  });
  afterEach(() => api.close());

  const drain = (payload: object = { deadline_ms: 5_000 }, id = 'gpu-0') =>
    api.ask('POST', `/v2/pools/${id}/drain`, { payload, headers: { 'x-correlation-id': 'drain-1' } });
  const becomes = (status: Partial<PoolStatus>) =>
    api.nodes.poolsOf.set('node-2', [readyPool({ pool_id: 'gpu-0', ...status })]);

  it('B-CP-020, B-CP-022, B-CP-070: is taken at once, on the node that has the pool, and goes on under its id', async () => {
    const answer = await drain();
    assert.equal(answer.statusCode, 202);
    assert.deepEqual(answer.json(), {
      operation_id: OPERATION,
      status: 'running',
      href: `/v2/operations/${encodeURIComponent(OPERATION)}`,
    });
    assert.deepEqual(api.records.drains, [
      { node_id: 'node-2', pool_id: 'gpu-0', correlation_id: 'drain-1', deadline_ms: 5_000 },
    ]);
  });

  for (const body of [{}, { deadline_ms: -1 }, { deadline_ms: 1.5 }, { deadline_ms: 'soon' }]) {
    it(`B-CP-020: ${JSON.stringify(body)} is no deadline`, async () => {
      const answer = await drain(body);
      assert.equal(answer.statusCode, 400);
      const { code, details } = answer.json<{ code: string; details: { field: string }[] }>();
      assert.deepEqual([code, details[0]?.field], ['INVALID_PARAMS', 'deadline_ms']);
      assert.deepEqual(api.records.drains, []);
    });
  }

  it('B-CP-070: one that ends while its caller waits answers with its outcome', async () => {
    const result = { pool_id: 'gpu-0', force_stopped: true, duration_ms: 12, final_lease_count: 2 };
    api.records.drainOutcome = { kind: 'done', result };
    const answer = await drain({ deadline_ms: 0, wait_ms: 1_000 });
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json(), result);
  });

  it('is judged by how the pool stands now, not by what was kept of a moment ago', async () => {
    becomes({ state: 'starting', live: false, ready: false });
    assert.equal((await api.ask('GET', '/v2/pools/gpu-0/health')).json<PoolStatus>().state, 'starting');
    becomes({});
    assert.equal((await drain()).statusCode, 202);
    becomes({ state: 'starting', live: false, ready: false });
    assert.equal((await drain()).statusCode, 409);
  });

  it('B-CP-025: of an unknown pool is 404', async () => {
    const answer = await drain({ deadline_ms: 1 }, 'nobody');
    assert.equal(answer.statusCode, 404);
    assert.equal(answer.json<{ code: string }>().code, 'POOL_NOT_FOUND');
    assert.deepEqual(api.records.drains, []);
  });

  it('B-CP-026: of a pool that is draining already is 202 with the same operation', async () => {
    becomes({ state: 'draining', ready: false, draining: true });
    const answer = await drain();
    assert.equal(answer.statusCode, 202);
    assert.equal(answer.json<{ operation_id: string }>().operation_id, OPERATION);
  });

  it('B-CP-037: of a pool that is being loaded is 409, and starts nothing', async () => {
    becomes({ state: 'starting', live: false, ready: false });
    const answer = await drain();
    assert.equal(answer.statusCode, 409);
    const { code, message, pool_id } = answer.json<Record<string, string>>();
    assert.deepEqual([code, pool_id], ['POOL_CONFLICT', 'gpu-0']);
    assert.match(message ?? '', /starting/);
    assert.deepEqual(api.records.drains, []);
  });

  it('B-DRAIN-014: a failed one is answered with its reason', async () => {
    const message = 'drain failed: the group 4711 outlives SIGKILL';
    api.records.drainOutcome = { kind: 'failed', code: 'DRAIN_FAILED', message };
    const answer = await drain({ deadline_ms: 0, wait_ms: 1_000 });
    assert.equal(answer.statusCode, 500);
    const body = answer.json<Record<string, string>>();
    assert.deepEqual([body['code'], body['message'], body['pool_id']], ['DRAIN_FAILED', message, 'gpu-0']);
  });

  it('B-CP-024, B-DP-052, B-DRAIN-002: the next task asks the node anew, and is told that the pool drains', async () => {
    api.nodes.poolsOf.set('node-1', []);
    const body = { model_ref: 'demo' };
    assert.equal((await api.ask('POST', '/v2/tasks', { payload: taskBody(body) })).statusCode, 202);
    becomes({ state: 'draining', ready: false, draining: true });
    await drain();
    const refused = await api.ask('POST', '/v2/tasks', { payload: taskBody({ ...body, task_id: 't-2' }) });
    assert.equal(refused.statusCode, 503);
    const { code, message } = refused.json<Record<string, string>>();
    assert.equal(code, 'POOL_UNREADY');
    assert.match(message ?? '', /draining/);
  });

  it('while Temporal is away it is not taken', async () => {
    api.records.down = true;
    assert.equal((await drain()).json<{ code: string }>().code, 'TEMPORAL_UNAVAILABLE');
  });
});
