import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { readSettings } from '../../contracts/settings.js';
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

  it('B-NODE-036: where the nodes of a pool report no more, the refusal says why', async () => {
    const silent = new DroverError('POOL_UNAVAILABLE', 'silent', {
      details: { cause_code: 'NETWORK_PARTITION' },
    });
    api.nodes.pools = () => Promise.reject(silent);
    const answer = await submit();
    const { code, details, retriable } = answer.json<Record<string, unknown>>();
    assert.deepEqual(
      [answer.statusCode, code, details, retriable],
      [503, 'POOL_UNAVAILABLE', { cause_code: 'NETWORK_PARTITION' }, true],
    );
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

  it('B-PL-019: busy engines are no reason to refuse; of a task that may not wait only when those of every node are', async () => {
    const busy = readyPool({ slots_free: 0, queue_depth: 3 });
    api.nodes.poolsOf.set('node-1', [busy]);
    api.nodes.poolsOf.set('node-2', [busy]);
    assert.equal((await submit()).statusCode, 202);
    now += 2_000;
    api.nodes.poolsOf.set('node-1', [readyPool({ slots_free: 2 })]);
    assert.equal((await submit()).statusCode, 202);
    // Meanwhile node-1 has filled up, and node-2 has room.
    api.nodes.poolsOf.set('node-1', [busy]);
    api.nodes.poolsOf.set('node-2', [readyPool({ slots_free: 1 })]);
    const offer = api.nodes.offer.bind(api.nodes);
    const exhausted = new DroverError('REPLICA_EXHAUSTED', 'every engine is busy');
    api.nodes.offer = (nodeId, ...rest) =>
      nodeId === 'node-1' ? Promise.reject(exhausted) : offer(nodeId, ...rest);
    assert.equal((await submit({ task_id: 'elsewhere', may_wait: false })).statusCode, 202);
    assert.equal(api.nodes.run('elsewhere').nodeId, 'node-2');
    api.nodes.poolsOf.set('node-2', [busy]);
    now += 2_000;
    const { code, retriable } = (await submit({ may_wait: false })).json<Record<string, unknown>>();
    assert.deepEqual([code, retriable], ['REPLICA_EXHAUSTED', true]);
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

describe('placing a task as the installation was told to', () => {
  /** @param freeAtSecond - slots of the second node; the first has four */
  const placedAt = async (
    env: Record<string, string>,
    count: number,
    over: Record<string, unknown> = {},
    freeAtSecond = 4,
    atOnce = false,
  ) => {
    const nodes = new MemoryNodes(['node-1', 'node-2']);
    nodes.poolsOf.set('node-2', [readyPool({ slots_free: freeAtSecond })]);
    const api = await startTestApi({ nodes, env, now: () => 1_000_000 });
    const submit = (n: number) =>
      api.ask('POST', '/v2/tasks', {
        payload: taskBody({ task_id: `q-${n}`, session_id: `q-${n}`, ...over }),
      });
    const numbers = Array.from({ length: count }, (_, n) => n);
    const answers = atOnce ? await Promise.all(numbers.map(submit)) : [];
    if (!atOnce) for (const n of numbers) answers.push(await submit(n));
    await api.close();
    const asked = nodes.calls.filter((call) => call.endsWith(' pools')).length;
    const offers = nodes.calls
      .filter((call) => call.split(' ')[1] === 'offer')
      .map((call) => call.split(' ')[0]);
    return { answers, offers, asked };
  };

  it('B-PL-004, B-CFG-014: each node in turn under round-robin, the one with most free slots under least-loaded', async () => {
    const { offers } = await placedAt({ DROVER_PLACEMENT_STRATEGY: 'round-robin' }, 4);
    assert.deepEqual(offers, ['node-1', 'node-2', 'node-1', 'node-2']);
    assert.deepEqual((await placedAt({}, 4, {}, 2)).offers, ['node-1', 'node-1', 'node-1', 'node-2']);
  });

  it('B-FLOW-004: what comes at once is spread over the nodes as they have room, though they are asked once', async () => {
    const { offers, asked } = await placedAt({}, 8, {}, 2, true);
    assert.equal(asked, 2);
    const count = (nodeId: string) => offers.filter((offer) => offer === nodeId).length;
    // Four slots and two; the two that must wait do so one at each.
    assert.deepEqual([count('node-1'), count('node-2')], [5, 3]);
  });

  it('B-PL-004, B-CFG-014: a strategy that there is not stops the start', () => {
    assert.throws(() => readSettings({ DROVER_PLACEMENT_STRATEGY: 'busiest' }), /DROVER_PLACEMENT_STRATEGY/);
    assert.equal(readSettings({}).DROVER_PLACEMENT_STRATEGY, 'least-loaded');
  });

  it('B-PL-008: no request pins a pool where that is not allowed, others go on', async () => {
    const pin = { placement: { mode: 'pin', pin_pool_id: 'default' } };
    const { answers } = await placedAt({ DROVER_PLACEMENT_PINNING: 'refuse' }, 1, pin);
    const refused = answers[0]?.json<{ code: string; details: { field: string }[] }>();
    assert.deepEqual(
      [answers[0]?.statusCode, refused?.code, refused?.details[0]?.field],
      [400, 'INVALID_PARAMS', 'placement.pin_pool_id'],
    );
    const free = await placedAt({ DROVER_PLACEMENT_PINNING: 'refuse' }, 1);
    assert.equal(free.answers[0]?.statusCode, 202);
    assert.equal((await placedAt({}, 1, pin)).answers[0]?.statusCode, 202);
  });

  it('B-PL-016: a session goes where it was served, while that is ready and free; elsewhere it begins cold', async () => {
    const nodes = new MemoryNodes(['node-1', 'node-2']);
    let now = 1_000_000;
    const api = await startTestApi({ nodes, now: () => now });
    let turns = 0;
    const turn = async (session_id: string) => {
      now += 2_000;
      await api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id: `s-${++turns}`, session_id }) });
      return nodes.calls.findLast((call) => call.split(' ')[1] === 'offer')?.split(' ')[0];
    };
    const free = (nodeId: string, slots_free: number) =>
      nodes.poolsOf.set(nodeId, [{ ...readyPool(), slots_free }]);
    assert.equal(await turn('a'), 'node-1');
    free('node-1', 1);
    free('node-2', 3);
    assert.deepEqual([await turn('a'), await turn('b'), await turn('a')], ['node-1', 'node-2', 'node-1']);
    const moved = () => api.log.filter((line) => line['event'] === 'placement' && 'kv_migrated' in line);
    assert.deepEqual(moved(), []);
    free('node-1', 0);
    assert.equal(await turn('a'), 'node-2');
    assert.deepEqual(
      moved().map((line) => [line['kv_warmth'], line['kv_migrated']]),
      [[false, false]],
    );
    await api.close();
  });

  it('B-PL-016: a turn that follows at once finds the engine free that the last one has left', async () => {
    const nodes = new MemoryNodes(['node-1', 'node-2']);
    for (const nodeId of ['node-1', 'node-2']) nodes.poolsOf.set(nodeId, [{ ...readyPool(), slots_free: 1 }]);
    let now = 1_000_000;
    const api = await startTestApi({ nodes, now: () => (now += 1) });
    const turn = async (task_id: string) => {
      await api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id, session_id: 'a' }) });
      return nodes.calls.findLast((call) => call.split(' ')[1] === 'offer')?.split(' ')[0];
    };
    const first = await turn('s-1');
    assert.equal(await turn('s-2'), first);
    // It runs still, as its node says when it is asked.
    nodes.poolsOf.set(first ?? '', [{ ...readyPool(), slots_free: 0 }]);
    assert.notEqual(await turn('s-3'), first);
    await api.close();
  });
});
