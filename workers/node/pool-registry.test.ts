import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PreparedEngine } from '../../contracts/pool.js';
import { ManualEngine, offerOf } from '../../testing/test-node.js';
import { preparedEngine } from '../../contracts/pool.js';
import { requireServingPool } from './admit-run.js';
import { PoolRegistry } from './pool-registry.js';

function registry() {
  const clock = { now: 1_000 };
  const dispatched: string[] = [];
  const effects = { dispatch: (taskId: string) => dispatched.push(taskId) };
  const pools = new PoolRegistry(
    16,
    () => new ManualEngine(),
    effects,
    () => clock.now,
  );
  const ready = (pool_id: string, changes: Partial<PreparedEngine> = {}) =>
    pools.ready({ prepared: launch(pool_id, changes), url: `http://127.0.0.1:1`, pid: 1, startTicks: '1' });
  /** A task takes a slot, or waits for one. */
  const lease = (pool_id: string, taskId: string) => {
    const { scheduler } = pools.ensure(pool_id);
    scheduler.enqueue(taskId, 'interactive');
    scheduler.pump();
  };
  const release = (pool_id: string, taskId: string) => pools.ensure(pool_id).scheduler.release(taskId);
  return { pools, clock, dispatched, ready, lease, release };
}

function launch(pool_id: string, changes: Partial<PreparedEngine>): PreparedEngine {
  return preparedEngine.parse({
    ...{ pool_id, engine_version: 'b1', binary_path: '/bin/true', port: 1, model_path: '/m.gguf' },
    ...{ model_ref: 'demo', slots_total: 2, ctx_max: 64, backend: 'cpu' },
    ...changes,
  });
}

test("B-REG-030, B-REG-031, OC-POOL-3105: the version of a pool's own entry is kept and told, apart from its engine's", () => {
  const { pools, ready } = registry();
  const versions = () => {
    const { config_digest, engine_version } = pools.status('a') ?? {};
    return [config_digest, engine_version];
  };
  const [first, second] = ['1'.repeat(64), '2'.repeat(64)];
  ready('a');
  assert.deepEqual(versions(), [null, 'b1']);
  ready('a', { config_digest: first });
  assert.deepEqual(versions(), [first, 'b1']);
  ready('a', { config_digest: first, engine_version: 'b2' });
  assert.deepEqual(versions(), [first, 'b2']);
  ready('a', { config_digest: second, engine_version: 'b2' });
  assert.deepEqual(versions(), [second, 'b2']);
});

test('B-REG-001 B-REG-002 B-REG-003 B-REG-004: health is what was last said of a pool, none of an unknown one', () => {
  const { pools, ready } = registry();
  const health = () => [pools.status('a')?.live, pools.status('a')?.ready];
  assert.equal(pools.status('a'), undefined);
  pools.ensure('a');
  assert.deepEqual(health(), [false, false]);
  ready('a');
  assert.deepEqual(health(), [true, true]);
  pools.failed('a', 'it died');
  assert.deepEqual(health(), [false, false]);
});

test('B-REG-010 B-REG-011 B-REG-012 B-REG-013: an error stays through all that happens, until a readiness clears it', () => {
  const { pools, clock, ready, lease } = registry();
  pools.ensure('a');
  assert.equal(pools.status('a')?.last_error, null);
  pools.failed('a', 'no memory');
  clock.now += 86_400_000;
  lease('a', 't');
  pools.learn('a', { tokensOut: 1, decodeMs: 1, serviceMs: 1, maxTokens: 1 });
  pools.starting(launch('a', {}));
  assert.equal(pools.status('a')?.last_error, 'no memory');
  pools.failed('a', 'no port');
  assert.equal(pools.status('a')?.last_error, 'no port');
  ready('a');
  assert.equal(pools.status('a')?.last_error, null);
});

test('B-REG-020 B-REG-021 B-REG-022: the heartbeat is when an engine was last seen, none before the first', () => {
  const { pools, clock, ready } = registry();
  pools.starting(launch('a', {}));
  assert.equal(pools.status('a')?.last_heartbeat_ms, null);
  ready('a');
  assert.equal(pools.status('a')?.last_heartbeat_ms, 1_000);
  clock.now = 2_000;
  assert.equal(pools.status('a')?.last_heartbeat_ms, 1_000);
  pools.seen('a');
  assert.equal(pools.status('a')?.last_heartbeat_ms, 2_000);
});

test('B-REG-136: without a heartbeat for more than 30 s a pool is neither live nor ready, and says why, until the next', () => {
  const { pools, clock, ready } = registry();
  ready('a');
  const shown = () => {
    const { live, ready: isReady, state, last_error } = pools.status('a') ?? {};
    return { live, ready: isReady, state, last_error };
  };
  clock.now += 30_000;
  assert.deepEqual(shown(), { live: true, ready: true, state: 'ready', last_error: null });
  clock.now += 1;
  const last_error = 'no sign of life of its engine for 30001 ms';
  assert.deepEqual(shown(), { live: false, ready: false, state: 'failed', last_error });
  pools.seen('a');
  assert.deepEqual(shown(), { live: true, ready: true, state: 'ready', last_error: null });
});

test('B-REG-032 B-REG-033 B-REG-050 B-REG-051 B-REG-052: version and mask are those of the launch, no mask is none', () => {
  const { pools, ready } = registry();
  ready('a', { engine_version: 'b7', device_mask: 'GPU0,1' });
  ready('b');
  const facts = (poolId: string) => [pools.status(poolId)?.engine_version, pools.status(poolId)?.device_mask];
  assert.deepEqual(facts('a'), ['b7', 'GPU0,1']);
  assert.deepEqual(facts('b'), ['b1', null]);
});

test('B-REG-040 B-REG-041 B-REG-042 B-REG-044 B-REG-045: an engine has its version, its digest and its catalog id, each apart', () => {
  const { pools, ready } = registry();
  const facts = (poolId: string) => {
    const { engine_version, engine_digest, engine_catalog_id } = pools.status(poolId) ?? {};
    return [engine_version, engine_digest, engine_catalog_id];
  };
  ready('a', { engine_version: 'b7', engine_digest: 'sha256:1', engine_catalog_id: 'llamacpp-b7' });
  assert.deepEqual(facts('a'), ['b7', 'sha256:1', 'llamacpp-b7']);
  ready('a', { engine_version: 'b8', engine_digest: 'sha256:2' });
  assert.deepEqual(facts('a'), ['b8', 'sha256:2', null]);
});

test('B-REG-060 B-REG-061 B-REG-062 B-REG-130: slots are those of the launch, and the free ones move with the leases', () => {
  const { pools, ready, lease, release, dispatched } = registry();
  ready('a', { slots_total: 2 });
  const slots = () => {
    const { slots_total, slots_free, active_leases } = pools.status('a') ?? {};
    return [slots_total, slots_free, active_leases];
  };
  assert.deepEqual(slots(), [2, 2, 0]);
  lease('a', 'one');
  assert.deepEqual(slots(), [2, 1, 1]);
  lease('a', 'two');
  lease('a', 'three'); // Beyond the total: it waits.
  assert.deepEqual(
    [slots(), dispatched],
    [
      [2, 0, 2],
      ['one', 'two'],
    ],
  );
  release('a', 'one');
  assert.deepEqual(
    [slots(), dispatched],
    [
      [2, 0, 2],
      ['one', 'two', 'three'],
    ],
  );
});

test('B-REG-072 B-REG-073 B-REG-080 B-REG-112: a pool is made by the first that says something of it, not draining', () => {
  const { pools } = registry();
  assert.equal(pools.get('a'), undefined);
  assert.equal(pools.status('a')?.draining ?? false, false);
  pools.failed('a', 'no GPU');
  assert.deepEqual([pools.get('a')?.poolId, pools.status('a')?.draining], ['a', false]);
});

test('B-REG-090 B-REG-092 B-REG-095 B-REG-096 B-REG-098: leases are counted as they are taken and given back', () => {
  const { pools, ready, lease, release } = registry();
  const count = () => pools.ensure('a').scheduler.activeLeases;
  assert.equal(count(), 0);
  ready('a');
  lease('a', 'one');
  assert.equal(count(), 1);
  lease('a', 'two');
  assert.equal(count(), 2);
  release('a', 'one');
  assert.equal(count(), 1);
  lease('a', 'three');
  assert.equal(count(), 2);
});

test('B-REG-094 B-REG-099 B-REG-132 OC-POOL-3007: a lease is given back once, no count falls below zero, pools are apart', () => {
  const { pools, ready, lease, release } = registry();
  for (const pool of ['a', 'b']) ready(pool);
  const counts = () => ['a', 'b'].map((pool) => pools.status(pool)?.active_leases);
  release('a', 'nobody');
  assert.deepEqual(counts(), [0, 0]);
  lease('a', 'one');
  lease('a', 'two');
  lease('b', 'three');
  assert.deepEqual(pools.get('a')?.scheduler.leasesOf('r0'), ['one', 'two']);
  for (let times = 0; times < 3; times += 1) release('a', 'one');
  assert.deepEqual(counts(), [1, 1]);
  assert.equal(pools.status('a')?.slots_free, 1);
});

test('B-REG-135: a hundred leases that are taken and given back in any order leave the right count', async () => {
  const { pools, ready, lease, release, dispatched } = registry();
  ready('a', { slots_total: 100 });
  const ids = Array.from({ length: 100 }, (_, index) => `t${index}`);
  const pair = async (id: string, index: number) => {
    for (let turns = 0; turns < index % 7; turns += 1) await Promise.resolve();
    lease('a', id);
    for (let turns = 0; turns < (index * 3) % 5; turns += 1) await Promise.resolve();
    release('a', id);
  };
  lease('a', 'stays');
  await Promise.all(ids.map(pair));
  assert.equal(dispatched.length, 101);
  assert.deepEqual([pools.status('a')?.active_leases, pools.status('a')?.slots_free], [1, 99]);
});

test('B-REG-120 B-REG-121 B-REG-122 B-REG-123 OC-POOL-3109: a snapshot has every pool, whole, sorted by id', () => {
  const { pools, ready } = registry();
  assert.deepEqual(pools.snapshot(), []);
  ready('b', { device_mask: '0' });
  pools.failed('c', 'no GPU');
  ready('a');
  const all = pools.snapshot();
  assert.deepEqual(
    all.map(({ pool_id }) => pool_id),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(all[1], {
    ...{ pool_id: 'b', state: 'ready', live: true, ready: true, draining: false },
    ...{ active_leases: 0, slots_total: 2, slots_free: 2, queue_depth: 0 },
    ...{ engine: 'llamacpp', engine_version: 'b1', engine_digest: null, engine_catalog_id: null },
    ...{ backend: 'cpu', device_mask: '0', split_plan: null },
    ...{
      model_ref: 'demo',
      model_name: null,
      ctx_max: 64,
      workloads: null,
      config_digest: null,
      last_error: null,
      changed_at_ms: 1_000,
      last_heartbeat_ms: 1_000,
      next_restart_at: null,
      on_demand: false,
      sleeps_at_ms: null,
    },
  });
});

test('B-REG-043, B-REG-110, B-REG-111, OC-POOL-3107: what is said of a pool changes what it names, and nothing else', () => {
  const { pools, clock, ready } = registry();
  const told = { engine_digest: 'sha256:1', engine_catalog_id: 'llamacpp-b7', device_mask: '0,1' };
  ready('a', { ...told, engine_version: 'b7' });
  const first = pools.status('a');
  const differs = () => {
    const now = pools.status('a') ?? {};
    return Object.entries(now).flatMap(([key, value]) =>
      value === first?.[key as keyof typeof first] ? [] : [key],
    );
  };
  clock.now += 1;
  pools.seen('a');
  assert.deepEqual(differs(), ['last_heartbeat_ms']);
  ready('a', { ...told, engine_version: 'b8' });
  assert.deepEqual(differs(), ['engine_version', 'changed_at_ms', 'last_heartbeat_ms']);
  pools.draining('a');
  pools.failed('a', 'it died');
  const changed = ['state', 'live', 'ready', 'slots_free', 'engine_version', 'last_error', 'changed_at_ms'];
  assert.deepEqual(differs(), [...changed, 'last_heartbeat_ms']);
});

test('OC-POOL-3103: of the metadata of an engine each field can be changed alone', () => {
  const { pools, ready } = registry();
  const launch = { engine_version: 'b7', engine_digest: 'sha256:1', engine_catalog_id: 'llamacpp-b7' };
  for (const [field, value] of [
    ['engine_version', 'b8'],
    ['engine_digest', 'sha256:2'],
    ['engine_catalog_id', 'llamacpp-b8'],
  ] as const) {
    ready('a', launch);
    ready('a', { ...launch, [field]: value });
    const { engine_version, engine_digest, engine_catalog_id } = pools.status('a') ?? {};
    assert.deepEqual({ engine_version, engine_digest, engine_catalog_id }, { ...launch, [field]: value });
  }
});

test('B-REG-070, B-REG-071, B-REG-097, OC-POOL-3108: a draining pool says so, and gives nobody a slot until it serves again', () => {
  const { pools, ready, lease, dispatched } = registry();
  ready('a');
  pools.draining('a');
  assert.deepEqual([pools.status('a')?.draining, pools.status('a')?.state], [true, 'draining']);
  lease('a', 'late');
  assert.deepEqual([dispatched, pools.status('a')?.active_leases], [[], 0]);
  const refusal = { code: 'POOL_UNREADY', message: 'the pool is draining' };
  assert.throws(() => requireServingPool(pools.get('a'), offerOf('later'), 0), refusal);
  pools.serving('a');
  assert.deepEqual([pools.status('a')?.draining, dispatched], [false, ['late']]);
});

test('B-POOL-009: every move of a pool is told with its time, and shown', () => {
  const { pools, clock, ready } = registry();
  const moves: string[] = [];
  pools.onMove(({ poolId, state, changedAtMs }, from) => {
    moves.push(`${changedAtMs} ${poolId} ${from} ${state}`);
    assert.deepEqual([pools.status(poolId)?.state, pools.status(poolId)?.changed_at_ms], [state, clock.now]);
  });
  const steps = [
    () => pools.starting(launch('a', {})),
    () => ready('a'),
    () => pools.reloading('a'),
    () => pools.serving('a'),
    () => pools.draining('a'),
    () => pools.offline('a'),
    () => pools.failed('a', 'no GPU'),
  ];
  for (const step of steps) {
    clock.now += 1;
    step();
  }
  assert.deepEqual(moves, [
    '1001 a uninitialized starting',
    '1002 a starting ready',
    '1003 a ready reloading',
    '1004 a reloading ready',
    '1005 a ready draining',
    '1006 a draining offline',
    '1007 a offline failed',
  ]);
});

test('B-REG-083, B-REG-084, B-REG-085, OC-POOL-3106: a pool is forgotten once, with its engines, and others stay', () => {
  const { pools, ready } = registry();
  for (const pool of ['a', 'b']) ready(pool);
  assert.equal(pools.deregister('a'), true);
  assert.deepEqual(
    [pools.get('a'), pools.status('a'), pools.running('a', 'r0')],
    [undefined, undefined, undefined],
  );
  assert.deepEqual(
    pools.snapshot().map(({ pool_id }) => pool_id),
    ['b'],
  );
  assert.equal(pools.deregister('a'), false);
  assert.equal(pools.deregister('never'), false);
  assert.equal(pools.status('b')?.state, 'ready');
  assert.equal(pools.register('a'), true);
  assert.equal(pools.status('a')?.state, 'uninitialized');
});

test('B-POOL-001, B-REG-081, B-REG-082: a pool that was only registered is uninitialized; registered again it stays as it is', () => {
  const { pools, ready } = registry();
  assert.equal(pools.register('a'), true);
  const { state, live, ready: isReady, last_error } = pools.status('a') ?? {};
  assert.deepEqual([state, live, isReady, last_error], ['uninitialized', false, false, null]);
  assert.throws(() => requireServingPool(pools.get('a'), offerOf('early'), 0), { code: 'POOL_UNREADY' });
  ready('a');
  const before = pools.status('a');
  assert.equal(pools.register('a'), false);
  assert.deepEqual(pools.status('a'), before);
});

test('what was measured of one model says nothing of the next one', () => {
  const { pools, ready } = registry();
  ready('a');
  pools.learn('a', { tokensOut: 10, decodeMs: 100, serviceMs: 120, maxTokens: 20 });
  assert.equal(pools.ensure('a').throughput.runs?.length, 1);
  pools.starting(launch('a', {}));
  assert.equal(pools.ensure('a').throughput.tokensPerSecond, 100, 'the same model on a new engine');
  pools.starting(launch('a', { model_ref: 'another' }));
  assert.deepEqual(pools.ensure('a').throughput, {});
});
