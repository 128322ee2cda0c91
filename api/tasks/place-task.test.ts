import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { MemoryNodes, readyPool } from '../testing/memory-nodes.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

describe('placing a task', () => {
  let api: TestApi;
  let now = 0;
  beforeEach(async () => {
    now = 1_000_000;
    api = await startTestApi({ nodes: new MemoryNodes(['node-1', 'node-2']), now: () => now });
  });
  afterEach(() => api.close());

  let tasks = 0;
  const submit = (over: Record<string, unknown> = {}) =>
    api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id: `p-${++tasks}`, ...over }) });
  const codeOf = async (over: Record<string, unknown>) => {
    const answer = await submit(over);
    const { code, details } = answer.json<{ code: string; details?: { field: string }[] }>();
    return [answer.statusCode, code, details?.[0]?.field];
  };
  const asked = () => api.nodes.calls.filter((call) => call.endsWith(' pools')).length;

  it('B-BG-020: nodes are asked once a second at most, whatever comes', async () => {
    await Promise.all([submit(), submit(), submit()]);
    assert.equal(asked(), 2);
    now += 999;
    await submit();
    assert.equal(asked(), 2);
    now += 2;
    await submit();
    assert.equal(asked(), 4);
  });

  it('B-BG-023: a refusal is never decided on what was kept', async () => {
    api.nodes.poolsOf.set('node-1', []);
    api.nodes.poolsOf.set('node-2', []);
    assert.deepEqual(await codeOf({}), [404, 'MODEL_NOT_FOUND', undefined]);
    api.nodes.poolsOf.set('node-2', [readyPool()]);
    now += 10;
    assert.equal((await submit()).statusCode, 202);
  });

  for (const [id, over, expected] of [
    ['B-DP-047', { model_ref: 'nobody-has-it' }, [404, 'MODEL_NOT_FOUND', undefined]],
    ['B-DP-041', { ctx: 5_000 }, [400, 'INVALID_PARAMS', 'ctx']],
    ['B-DP-119', { engine: 'vllm' }, [400, 'INVALID_PARAMS', 'engine']],
    [
      'B-PL-006',
      { placement: { mode: 'pin', pin_pool_id: 'z' } },
      [400, 'INVALID_PARAMS', 'placement.pin_pool_id'],
    ],
    ['B-PL-012', { placement: { avoid_pools: ['default'] } }, [503, 'POOL_UNREADY', undefined]],
    [
      'B-PL-011',
      { placement: { mode: 'prefer', prefer_pools: ['z'], allow_fallback: false } },
      [503, 'POOL_UNREADY', undefined],
    ],
  ] as const) {
    it(`${id}: ${JSON.stringify(over)} is ${expected[0]} ${expected[1]}`, async () => {
      assert.deepEqual(await codeOf(over), expected);
    });
  }

  it('B-PL-007: a pinned pool that is not ready is never replaced by another', async () => {
    api.nodes.poolsOf.set('node-2', [
      readyPool({ pool_id: 'spare', state: 'draining', draining: true, ready: false }),
    ]);
    const answer = await submit({ placement: { mode: 'pin', pin_pool_id: 'spare' } });
    assert.equal(answer.statusCode, 503);
    const { code, pool_id, engine } = answer.json<Record<string, unknown>>();
    assert.deepEqual([code, pool_id, engine], ['POOL_UNREADY', 'spare', 'llamacpp']);
  });

  it('B-PL-018: a node that is away is no candidate, the other serves', async () => {
    api.nodes.away.add('node-1');
    assert.equal((await submit({ task_id: 'away-1' })).statusCode, 202);
    assert.equal(api.nodes.run('away-1').nodeId, 'node-2');
  });

  it('B-PL-015: the decision is logged with what it weighed', async () => {
    await submit();
    const line = api.log.find(({ event }) => event === 'placement');
    assert.equal(line?.['selected_pool_id'], 'default');
    assert.equal(line['candidates_considered'], 2);
    assert.deepEqual(line['tie_breakers_applied'], ['lexicographic']);
    assert.deepEqual([line['pinned'], line['fallback_used']], [false, false]);
  });
});
