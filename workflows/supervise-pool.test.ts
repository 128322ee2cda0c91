import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSupervisionStage, supervisedTwin, type SupervisionStage } from '../testing/supervision-stage.js';
import { failing } from '../testing/preload-twin.js';
import type { EngineReady, SupervisionView } from '../contracts/supervision.js';
import { DEFAULT_RESTART_POLICY } from '../domain/restart-policy.js';
import { TWIN_NODE } from '../testing/twin-stage.js';
import { engineReadySignal, poolDrainedSignal, resetCircuitUpdate } from './messages.js';

let stage: SupervisionStage;
before(async () => {
  stage = await openSupervisionStage();
});
after(() => stage.close());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const crashes = (count: number, ms = SECOND) => Array.from({ length: count }, () => ({ ms }));

test('B-SUPER-028, B-SUPER-053: after a crash the delay is a timer of the server, and the engine is started again by a preload', async () => {
  const twin = supervisedTwin('once', crashes(1));
  const run = await stage.supervise('once', twin);
  await stage.sleep(MINUTE);
  const view = await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 1);
  assert.deepEqual([view.attempts, view.next_restart_at], [1, null]);
  assert.deepEqual(
    twin.told.planRestart.map(({ backoff_ms, crash_count, kind }) => [backoff_ms, crash_count, kind]),
    [[1_000, 1, 'signal']],
  );
  const { events } = await run.fetchHistory();
  const timers = (events ?? []).flatMap((event) => event.timerStartedEventAttributes ?? []);
  assert.ok(timers.some(({ startToFireTimeout }) => Number(startToFireTimeout?.seconds) <= 1));
  const preload = await stage.workflow.getHandle('pool:once:preload').describe();
  assert.equal(preload.status.name, 'COMPLETED');
});

test('B-WFH-006, B-POOL-007: while the restart waits a query tells the step, the attempts and when it comes', async () => {
  const twin = supervisedTwin('waiting', crashes(1));
  const run = await stage.supervise('waiting', twin, { initial_ms: 50_000 });
  await stage.sleep(5 * SECOND);
  const view = await stage.until(run, ({ step }) => step === 'backoff');
  assert.deepEqual([view.attempts, view.last_crash?.reason], [1, 'signal(SIGKILL)']);
  const [plan] = twin.told.planRestart;
  assert.equal(Date.parse(view.next_restart_at ?? ''), plan?.next_restart_at_ms);
  assert.deepEqual([plan?.backoff_ms, twin.restartsAtMs], [50_000, []]);
});

test('B-SUPER-011, B-SUPER-020, B-POOL-008: five crashes in a row open the circuit; until its time is over nothing is started', async () => {
  const twin = supervisedTwin('loop', crashes(5));
  const run = await stage.supervise('loop', twin);
  await stage.sleep(4 * MINUTE);
  const view = await stage.until(run, ({ step }) => step === 'open');
  assert.deepEqual(
    [view.circuits.general, twin.restartsAtMs.length],
    [{ state: 'open', failure_count: 5 }, 4],
  );
  assert.deepEqual(
    twin.told.planRestart.map(({ backoff_ms }) => backoff_ms),
    [1_000, 2_000, 4_000, 8_000],
  );
  const [{ transitions, held } = {}] = twin.told.markCircuits;
  assert.deepEqual(
    transitions?.map(({ old_state, new_state }) => [old_state, new_state]),
    [['closed', 'open']],
  );
  assert.match(held?.last_error ?? '', /circuit is open until .*signal\(SIGKILL\)/);
  assert.equal(Date.parse(view.next_restart_at ?? ''), held?.until_ms);
});

test('B-SUPER-022, B-SUPER-023, B-SUPER-024: after 300 s one restart is tried, and 60 s of service close the circuit', async () => {
  const twin = supervisedTwin('tested', crashes(2));
  const run = await stage.supervise('tested', twin, { circuit_threshold: 2 });
  await stage.sleep(310 * SECOND);
  const tried = await stage.until(
    run,
    ({ step, circuits }) => step === 'watch' && circuits.general.state === 'half_open',
  );
  assert.deepEqual([tried.attempts, twin.restartsAtMs.length], [2, 2]);
  const [first = 0, second = 0] = twin.restartsAtMs;
  assert.ok(second - first >= 300 * SECOND, `${second - first} ms`);
  await stage.sleep(MINUTE);
  const closed = await stage.until(run, ({ circuits }) => circuits.general.state === 'closed');
  assert.deepEqual([closed.attempts, closed.restart_count], [0, 2]);
  const moves = twin.told.markCircuits.flatMap(({ transitions }) => transitions);
  assert.deepEqual(
    moves.map(({ new_state }) => new_state),
    ['open', 'half_open', 'closed'],
  );
});

test('B-SUPER-025: a test restart that crashes opens the circuit again, for twice as long', async () => {
  const twin = supervisedTwin('again', crashes(3));
  const run = await stage.supervise('again', twin, { circuit_threshold: 2 });
  await stage.sleep(320 * SECOND);
  await stage.until(run, ({ step }) => step === 'open');
  assert.equal(twin.restartsAtMs.length, 2);
  const [first, second] = twin.told.markCircuits.flatMap(({ held }) => held ?? []);
  assert.ok((second?.until_ms ?? 0) - (first?.until_ms ?? 0) >= 600 * SECOND);
  await stage.sleep(500 * SECOND);
  assert.equal(twin.restartsAtMs.length, 2);
});

test('B-SUPER-044, B-CP-073: an operator resets the circuit, and the engine is started at once', async () => {
  const twin = supervisedTwin('mended', crashes(2));
  const run = await stage.supervise('mended', twin, { circuit_threshold: 2 });
  await stage.sleep(10 * SECOND);
  await stage.until(run, ({ step }) => step === 'open');
  const answered = await run.executeUpdate(resetCircuitUpdate, { args: [{ by: 'token:abc123' }] });
  assert.deepEqual(
    [answered.circuits.general, answered.attempts],
    [{ state: 'closed', failure_count: 0 }, 0],
  );
  await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 2);
  const moves = twin.told.markCircuits.flatMap(({ transitions }) => transitions);
  assert.deepEqual(
    moves.map(({ old_state, new_state }) => [old_state, new_state]),
    [
      ['closed', 'open'],
      ['open', 'closed'],
    ],
  );
});

function readyBy(by: EngineReady['by'], changes = {}): EngineReady {
  const policy = { ...DEFAULT_RESTART_POLICY, jitter: 0, ...changes };
  return { node_id: TWIN_NODE, health_timeout_ms: 1_000, policy, by };
}

test("B-SUPER-021, B-SUPER-039: an operator's preload is the one start that an open circuit lets through; its crash opens it again", async () => {
  const changes = { circuit_threshold: 2 };
  const twin = supervisedTwin('allowed', crashes(3));
  const run = await stage.supervise('allowed', twin, changes);
  await stage.sleep(10 * SECOND);
  const { restart_count } = await stage.until(run, ({ step }) => step === 'open');
  await run.signal(engineReadySignal, readyBy('operator', changes));
  await stage.until(run, ({ step, circuits }) => step === 'watch' && circuits.general.state === 'half_open');
  await stage.sleep(10 * SECOND);
  const view = await stage.until(run, ({ step }) => step === 'open');
  assert.deepEqual([view.circuits.general.state, view.restart_count], ['open', restart_count]);
});

test('B-SUPER-014, B-SUPER-031: what serves for 300 s has not crashed before, what serves for 600 s was never restarted', async () => {
  const twin = supervisedTwin('stable', crashes(2));
  const run = await stage.supervise('stable', twin);
  await stage.sleep(10 * SECOND);
  const before = await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 2);
  assert.equal(before.attempts, 2);
  await stage.sleep(301 * SECOND);
  const { restart_count } = await stage.until(run, ({ attempts }) => attempts === 0);
  assert.equal(restart_count, 2);
  await stage.sleep(300 * SECOND);
  await stage.until(run, (view) => view.restart_count === 0);
});

test('B-SUPER-006: an engine that ends gracefully is started again, and no crash is counted', async () => {
  const twin = supervisedTwin('polite', [{ ms: SECOND, kind: 'graceful_exit', reason: 'graceful_exit' }]);
  const run = await stage.supervise('polite', twin);
  await stage.sleep(10 * SECOND);
  const view = await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 1);
  assert.deepEqual([view.attempts, twin.told.planRestart[0]?.backoff_ms], [0, 500]);
});

test('B-PRELOAD-070: a restart that fails is one more crash, and is tried again', async () => {
  let failures = 0;
  const twin = supervisedTwin('stubborn', crashes(1), {
    awaitEngineReady: () =>
      ++failures > 2 ? Promise.resolve() : failing('EngineExited', 'the engine ended with exit code 1')(),
  });
  const run = await stage.supervise('stubborn', twin);
  await stage.sleep(MINUTE);
  const view = await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 3);
  assert.deepEqual([view.attempts, view.last_crash?.reason], [3, 'restart_failed(EngineExited)']);
  assert.deepEqual(
    twin.told.planRestart.map(({ kind, backoff_ms }) => [kind, backoff_ms]),
    [
      ['signal', 1_000],
      ['restart_failed', 2_000],
      ['restart_failed', 4_000],
    ],
  );
  assert.match(twin.told.planRestart[1]?.last_error ?? '', /preload failed: .*exit code 1/);
});

test('B-SUPER-026, B-SUPER-046: CUDA errors wait twice as long, and open the circuit of their own', async () => {
  const cuda = { ms: SECOND, kind: 'cuda_error', reason: 'cuda_error' } as const;
  const twin = supervisedTwin('cuda', [cuda, cuda, cuda]);
  const run = await stage.supervise('cuda', twin, { circuit_threshold: 3 });
  await stage.sleep(MINUTE);
  const { circuits } = await stage.until(run, ({ step }) => step === 'open');
  assert.deepEqual([circuits.cuda.state, circuits.general], ['open', { state: 'closed', failure_count: 0 }]);
  assert.deepEqual(
    twin.told.planRestart.map(({ backoff_ms }) => backoff_ms),
    [2_000, 4_000],
  );
});

test('B-SUPER-035, B-SUPER-038: storms are told with their figures', async () => {
  const oom = { ms: 10, kind: 'out_of_memory', reason: 'out_of_memory(vram)' } as const;
  const twin = supervisedTwin(
    'storm',
    Array.from({ length: 4 }, () => oom),
  );
  const run = await stage.supervise('storm', twin, { initial_ms: 500, storm_restarts: 3, oom_crashes: 4 });
  await stage.sleep(MINUTE);
  await stage.until(run, ({ step }) => step === 'open');
  assert.deepEqual(
    twin.told.markCircuits.flatMap(({ storms }) => storms),
    [
      { kind: 'restart_storm', count: 3, window_ms: 30_000 },
      { kind: 'oom_storm', count: 4, window_ms: 60_000 },
    ],
  );
});

test('B-SUPER-050: while one pool is held another one is started again after its own delay', async () => {
  const [stormy, calm] = [supervisedTwin('stormy', crashes(2)), supervisedTwin('calm', crashes(1, 20_000))];
  const held = await stage.supervise('stormy', stormy, { circuit_threshold: 2 });
  const run = await stage.supervise('calm', calm);
  await stage.sleep(MINUTE);
  await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 1);
  await stage.until(held, ({ step }) => step === 'open');
  assert.equal(calm.told.planRestart[0]?.backoff_ms, 1_000);
});

test('B-SUPER-051: pools that crash together are started again one after the other', async () => {
  const driver = { ms: SECOND, kind: 'driver_reset', reason: 'driver_reset' } as const;
  const twins = ['a', 'b', 'c', 'd'].map((name) => supervisedTwin(`together-${name}`, [driver]));
  const runs = await Promise.all(
    twins.map((twin, index) => stage.supervise(`together-${'abcd'.charAt(index)}`, twin, { jitter: 0.5 })),
  );
  await stage.sleep(MINUTE);
  for (const run of runs)
    await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 1);
  const delays = twins.map(({ told }) => told.planRestart[0]?.backoff_ms ?? 0);
  assert.ok(new Set(delays).size > 1, delays.join(', '));
  assert.ok(Math.max(...delays) <= 1_500 && Math.min(...delays) >= 500, delays.join(', '));
});

test('B-SUPER-017: a pool that was stopped on purpose is not started again, until somebody does', async () => {
  const twin = supervisedTwin('stopped', []);
  twin.state.stopped = true;
  const run = await stage.supervise('stopped', twin);
  await stage.until(run, ({ step }) => step === 'off');
  await stage.sleep(10 * MINUTE);
  assert.deepEqual([twin.told.planRestart, twin.calls], [[], []]);
  twin.state.stopped = false;
  await run.signal(engineReadySignal, readyBy('operator'));
  await stage.until(run, ({ step }) => step === 'watch');
});

test('B-SUPER-017: a drain during the wait ends it', async () => {
  const twin = supervisedTwin('drained', crashes(1));
  const run = await stage.supervise('drained', twin, { initial_ms: 50_000 });
  await stage.sleep(5 * SECOND);
  await stage.until(run, ({ step }) => step === 'backoff');
  await run.signal(poolDrainedSignal);
  const view = await stage.until(run, ({ step }) => step === 'off');
  assert.equal(view.next_restart_at, null);
  await stage.sleep(10 * MINUTE);
  assert.deepEqual([twin.restartsAtMs, twin.calls], [[], []]);
});

/** After a crash it watches again, and nothing is due. */
const isLeftAlone = ({ step, attempts, next_restart_at }: SupervisionView): boolean =>
  step === 'watch' && attempts === 1 && next_restart_at === null;

for (const step of ['planRestart', 'beginRestart'] as const) {
  test(`B-SUPER-017: what another operation has by the time of ${step} is left to it`, async () => {
    const twin = supervisedTwin(`taken-${step}`, crashes(1), {
      [step]: () => Promise.resolve({ taken: false }),
    });
    const known: unknown[] = [];
    const watchEngine: typeof twin.activities.watchEngine = (input) => {
      if (twin.state.engine > 0) known.push(input.known_crash_id);
      return twin.activities.watchEngine(input);
    };
    const run = await stage.supervise(`taken-${step}`, { activities: { ...twin.activities, watchEngine } });
    await stage.sleep(MINUTE);
    await stage.until(run, isLeftAlone);
    assert.deepEqual(twin.calls, []);
    // The engine that was given up may serve again, and crash for the first time.
    assert.equal(known.at(-1), null);
  });
}

test('a restart that is refused leaves the pool alone', async () => {
  const twin = supervisedTwin('refused', crashes(1), {
    preflight: failing('POOL_CONFLICT', 'another engine runs'),
  });
  const run = await stage.supervise('refused', twin);
  await stage.sleep(MINUTE);
  await stage.until(run, (view) => isLeftAlone(view) && view.restart_count === 1);
  assert.deepEqual(twin.calls, ['preflight']);
});

test('B-SUPER-008, B-SUPER-030, B-SUPER-053, B-WFH-007: it continues as new, and what it counts goes on', async () => {
  const limits = { circuit_threshold: 1_000, window_restarts: 1_000, storm_restarts: 1_000 };
  const twin = supervisedTwin('long', crashes(45, 10));
  const run = await stage.supervise('long', twin, { initial_ms: 500, cap_ms: 500, ...limits });
  const { runId } = await run.describe();
  await stage.sleep(MINUTE);
  const view = await stage.until(run, ({ step, restart_count }) => step === 'watch' && restart_count === 45);
  assert.equal(view.attempts, 45);
  const now = await run.describe();
  assert.notEqual(now.runId, runId);
  assert.ok(now.historyLength < 1_000, `${now.historyLength} events`);
  const first = await stage.workflow.getHandle('pool:long:supervise', runId).describe();
  assert.ok(first.historyLength < 1_100, `${first.historyLength} events`);
});
