import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { NodeActivityDeps } from '../deps.js';
import type { CrashReport } from '../../contracts/supervision.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { quietMetrics } from '../../testing/quiet-metrics.js';
import { crashOf } from '../../testing/supervision-stage.js';
import type { BeginRestartInput } from './begin-restart.js';
import type { PlanRestartInput } from './plan-restart.js';

const POOL = 'gpu-0';

/** A node whose engine has crashed, and what its metrics are told. */
async function crashedNode(t: TestContext, changes: Partial<NodeActivityDeps> = {}) {
  const counted: unknown[][] = [];
  const note =
    (name: string) =>
    (...told: unknown[]) =>
      void counted.push([name, ...told]);
  const node = await poolNode(t, {
    metrics: {
      ...quietMetrics,
      restartPlanned: note('planned'),
      restarted: note('restarted'),
      circuitMoved: note('moved'),
      storm: note('storm'),
    },
    ...changes,
  });
  const crash: CrashReport = crashOf(POOL, 1);
  node.pools.crashed(crash);
  const logged = (event: string) => node.logged.filter((line) => line['event'] === event);
  return { node, crash, counted, logged };
}

const AT_MS = 1_800_000_000_000;
const PLAN: PlanRestartInput = {
  ...{
    pool_id: POOL,
    kind: 'signal',
    last_error: 'gone: signal(SIGKILL)',
    crash_count: 3,
    restart_count: 10,
  },
  ...{ backoff_ms: 4_000, next_restart_at_ms: AT_MS, rate_limited: false, window_ms: 60_000 },
};

test('B-POOL-007, B-SUPER-018, B-SUPER-027, B-LOG-006: a pool that waits for its restart shows when that comes', async (t) => {
  const { node, counted, logged } = await crashedNode(t);
  assert.deepEqual(await node.run('planRestart', PLAN), { taken: true });
  const { state, live, ready, next_restart_at, last_error } = node.pools.status(POOL) ?? {};
  assert.deepEqual(
    [state, live, ready, next_restart_at, last_error],
    ['backoff', false, false, new Date(AT_MS).toISOString(), PLAN.last_error],
  );
  const [line] = logged('restart_scheduled');
  assert.deepEqual(
    [line?.['backoff_ms'], line?.['crash_count'], line?.['next_restart_at'], line?.['pool_id']],
    [4_000, 3, new Date(AT_MS).toISOString(), POOL],
  );
  assert.deepEqual(counted, [['planned', POOL, 'signal', 4_000]]);
  assert.deepEqual(logged('restart_rate_limited'), []);
});

test('B-SUPER-033: a restart that waits for the window is told as a warning', async (t) => {
  const { node, logged } = await crashedNode(t);
  await node.run('planRestart', { ...PLAN, rate_limited: true });
  const [line] = logged('restart_rate_limited');
  assert.deepEqual([line?.['level'], line?.['restart_count'], line?.['time_window']], [40, 10, 60_000]);
});

const BEGIN: BeginRestartInput = {
  ...{ pool_id: POOL, kind: 'signal', restart_count: 12, restarts_in_window: 5 },
  ...{ window_ms: 60_000, warn_above: 5 },
};

test('B-SUPER-030, B-SUPER-032, B-METRICS-006, B-LOG-005: a restart is counted and logged, above five in the window as a warning', async (t) => {
  const { node, counted, logged } = await crashedNode(t);
  assert.deepEqual(await node.run('beginRestart', BEGIN), { taken: true });
  assert.equal(node.pools.status(POOL)?.state, 'starting');
  assert.deepEqual([logged('engine_restarting')[0]?.['restart_count'], logged('many_restarts')], [12, []]);
  await node.run('beginRestart', { ...BEGIN, restarts_in_window: 6 });
  const [line] = logged('many_restarts');
  assert.deepEqual([line?.['level'], line?.['restart_count'], line?.['time_window']], [40, 6, 60_000]);
  assert.deepEqual(counted[0], ['restarted', POOL, 'signal']);
});

const others: readonly [string, (node: PoolNode) => void][] = [
  ['draining', ({ pools }) => pools.draining(POOL)],
  ['reloading', ({ pools }) => pools.reloading(POOL)],
  ['offline', ({ pools }) => pools.offline(POOL)],
];
for (const [state, take] of others) {
  test(`B-SUPER-017: a pool that is ${state} by then stays so`, async (t) => {
    const { node, counted } = await crashedNode(t);
    take(node);
    const held = { until_ms: AT_MS, last_error: 'open' };
    assert.deepEqual(await node.run('planRestart', PLAN), { taken: false });
    assert.deepEqual(await node.run('beginRestart', BEGIN), { taken: false });
    const circuits = { pool_id: POOL, transitions: [], storms: [], restart_count: 1, held };
    assert.deepEqual(await node.run('markCircuits', circuits), { taken: false });
    assert.deepEqual([node.pools.status(POOL)?.state, counted], [state, []]);
  });
}

test('B-POOL-008, B-SUPER-020, B-SUPER-041, B-SUPER-042, B-OBS-060: an open circuit fails the pool, is counted, and raises an alert', async (t) => {
  const { node, counted, logged } = await crashedNode(t);
  const transition = {
    circuit: 'general',
    old_state: 'closed',
    new_state: 'open',
    failure_count: 5,
  } as const;
  const held = { until_ms: AT_MS, last_error: 'the circuit is open: gone' };
  await node.run('markCircuits', {
    pool_id: POOL,
    transitions: [transition],
    storms: [],
    restart_count: 4,
    held,
  });
  const { state, live, ready, last_error } = node.pools.status(POOL) ?? {};
  assert.deepEqual([state, live, ready, last_error], ['failed', false, false, held.last_error]);
  const [line] = logged('circuit_moved');
  const { circuit, old_state, new_state, failure_count, pool_id } = line ?? {};
  assert.deepEqual(
    { circuit, old_state, new_state, failure_count, pool_id },
    { ...transition, pool_id: POOL },
  );
  assert.deepEqual(counted, [['moved', POOL, transition]]);
  const [alert] = logged('alert');
  assert.deepEqual(
    [
      alert?.['severity'],
      alert?.['alert'],
      alert?.['pool_id'],
      alert?.['failure_count'],
      alert?.['restart_count'],
    ],
    ['critical', 'circuit_open', POOL, 5, 4],
  );
});

test('B-SUPER-036, B-SUPER-037, B-SUPER-038: storms are counted and raise alerts, one for want of memory with a hint', async (t) => {
  const { node, counted, logged } = await crashedNode(t);
  const storms = [
    { kind: 'restart_storm', count: 10, window_ms: 30_000 },
    { kind: 'oom_storm', count: 5, window_ms: 60_000 },
  ] as const;
  const input = { pool_id: POOL, transitions: [], storms: [...storms], restart_count: 10, held: null };
  assert.deepEqual(await node.run('markCircuits', input), { taken: true });
  assert.deepEqual(
    counted,
    storms.map((storm) => ['storm', POOL, storm]),
  );
  const [restarts, ooms] = logged('alert');
  assert.deepEqual(
    [restarts?.['alert'], restarts?.['severity'], restarts?.['pool_id'], restarts?.['restart_count']],
    ['restart_storm', 'critical', POOL, 10],
  );
  assert.deepEqual([ooms?.['class'], ooms?.['restart_count']], ['oom_storm', 5]);
  assert.match(String(ooms?.['hint']), /smaller context.*fewer slots.*another GPU/);
});

test('B-SUPER-001, B-SUPER-017: the watch ends with a crash that was not known, or with a pool that is out of service', async (t) => {
  const { node, crash } = await crashedNode(t);
  const watch = (known_crash_id: string | null, pool_id = POOL) =>
    node.run('watchEngine', { pool_id, known_crash_id });
  assert.deepEqual(await watch(null), { crash });
  const waiting = watch(crash.crash_id);
  const second = crashOf(POOL, 2);
  node.pools.crashed(second);
  assert.deepEqual(await waiting, { crash: second });
  node.pools.offline(POOL);
  assert.deepEqual(await watch(null), { crash: null });
  assert.deepEqual(await watch(null, 'never-heard-of'), { crash: null });
});

test('B-SUPER-017: a node worker that ends leaves the watch to the next one at once', async (t) => {
  const closing = new AbortController();
  const { node, crash } = await crashedNode(t, { closing: closing.signal });
  const watching = node.run('watchEngine', { pool_id: POOL, known_crash_id: crash.crash_id });
  closing.abort();
  await assert.rejects(watching, { type: 'WORKER_SHUTDOWN', nonRetryable: false });
});
