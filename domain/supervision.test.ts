import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CIRCUIT_GAUGE } from './circuit.js';
import type { CrashKind } from './crash.js';
import { DEFAULT_RESTART_POLICY, type RestartPolicy } from './restart-policy.js';
import {
  afterServing,
  countRestart,
  letOneThrough,
  nextForgivenessMs,
  reset,
  takeCrash,
  UNDISTURBED,
  type CrashVerdict,
  type Supervision,
} from './supervision.js';

const EVEN = 0.5;
const START = 1_000_000_000_000;

/** A pool that crashes again and again, each time as soon as it has been restarted. */
class CrashingPool {
  state: Supervision = UNDISTURBED;
  nowMs = START;
  verdict: CrashVerdict | undefined;

  constructor(readonly policy: RestartPolicy) {}

  crash(kind: CrashKind = 'process_exit', times = 1): CrashVerdict {
    for (let crash = 1; ; crash += 1) {
      this.verdict = takeCrash(this.state, kind, this.policy, this.nowMs, EVEN);
      this.state = this.verdict.next;
      if (crash === times) return this.verdict;
      this.restart();
    }
  }

  /** Waits for what the last verdict has planned, and starts. */
  restart(): void {
    const plan = this.verdict?.plan;
    assert.ok(plan);
    this.nowMs = plan.at_ms;
    if (plan.held) this.state = letOneThrough(this.state).next;
    this.state = countRestart(this.state, this.policy, this.nowMs);
  }

  serves(ms: number) {
    this.nowMs += ms;
    const change = afterServing(this.state, this.policy, ms);
    this.state = change.next;
    return change;
  }

  get delayMs(): number {
    return (this.verdict?.plan.at_ms ?? 0) - this.nowMs;
  }
}

const pool = (changes: Partial<RestartPolicy> = {}) =>
  new CrashingPool({ ...DEFAULT_RESTART_POLICY, ...changes });

/** Storms are out of the way of what is looked at. */
const NO_LIMITS = { window_restarts: 10_000, storm_restarts: 10_000, circuit_threshold: 10_000 };
/** Restarts as fast as tests of windows need them. */
const FAST = { initial_ms: 500, cap_ms: 500, circuit_threshold: 10_000, stable_ms: 300_000 };

describe('backoff', () => {
  test('B-SUPER-008, B-SUPER-010, B-SUPER-011: each crash is counted, and waits twice as long as the one before', () => {
    const it = pool(NO_LIMITS);
    const delays = [1, 2, 3, 4].map(() => {
      it.crash();
      const { delayMs } = it;
      it.restart();
      return delayMs;
    });
    assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000]);
    assert.deepEqual([it.state.crash_count, it.state.restart_count], [4, 4]);
  });

  test('B-SUPER-014: 300 s of service bring the first delay back', () => {
    const it = pool(NO_LIMITS);
    it.crash('process_exit', 3);
    it.restart();
    it.serves(299_999);
    assert.equal(it.state.crash_count, 3);
    it.serves(300_000);
    assert.equal(it.state.crash_count, 0);
    it.crash();
    assert.equal(it.delayMs, 1_000);
  });

  test('B-SUPER-006: a graceful exit counts as no crash, and is started again after the least delay', () => {
    const it = pool();
    it.crash('process_exit', 2);
    it.restart();
    it.crash('graceful_exit');
    assert.deepEqual([it.state.crash_count, it.state.general.failures, it.delayMs], [2, 2, 500]);
  });
});

describe('the circuit', () => {
  test('B-SUPER-020: the fifth crash in a row opens it, for 300 s, and restarts are held', () => {
    const it = pool();
    assert.equal(it.crash('process_exit', 4).plan.held, false);
    it.restart();
    const { plan, transitions } = it.crash();
    assert.deepEqual(transitions, [
      { circuit: 'general', old_state: 'closed', new_state: 'open', failure_count: 5 },
    ]);
    assert.deepEqual([plan.held, it.delayMs], [true, 300_000]);
  });

  test('B-SUPER-045: with a threshold of 3 it opens at the third', () => {
    const it = pool({ circuit_threshold: 3 });
    assert.equal(it.crash('process_exit', 2).next.general.state, 'closed');
    it.restart();
    assert.equal(it.crash().next.general.state, 'open');
  });

  test('B-SUPER-021: a crash while it is open changes no plan', () => {
    const it = pool();
    const { plan } = it.crash('process_exit', 5);
    it.nowMs += 10_000;
    const again = it.crash();
    assert.deepEqual([again.plan, again.transitions], [plan, []]);
  });

  test('B-SUPER-022, B-SUPER-023: after its time it is half-open for one restart, and stays so while that runs', () => {
    const it = pool();
    it.crash('process_exit', 5);
    it.restart();
    assert.deepEqual([it.nowMs - START >= 300_000, it.state.general.state], [true, 'half_open']);
    assert.deepEqual(letOneThrough(it.state).transitions, []);
    assert.equal(it.serves(59_999).next.general.state, 'half_open');
  });

  test('B-SUPER-024: a test that serves for 60 s closes it, and nothing counts any more', () => {
    const it = pool();
    it.crash('process_exit', 5);
    it.restart();
    assert.equal(nextForgivenessMs(it.state, it.policy, 0), 60_000);
    const { next, transitions } = it.serves(60_000);
    assert.deepEqual(
      transitions.map(({ old_state, new_state, failure_count }) => [old_state, new_state, failure_count]),
      [['half_open', 'closed', 0]],
    );
    assert.deepEqual([next.crash_count, next.general.failures], [0, 0]);
    it.crash();
    assert.deepEqual([it.verdict?.plan.held, it.delayMs], [false, 1_000]);
  });

  test('B-SUPER-025, B-SUPER-040: each test that fails doubles its time up to the cap, and a close brings 300 s back', () => {
    const it = pool();
    it.crash('process_exit', 5);
    const times = [it.delayMs];
    for (let test = 0; test < 5; test += 1) {
      it.restart();
      assert.equal(it.crash().plan.held, true);
      times.push(it.delayMs);
    }
    assert.deepEqual(times, [300_000, 600_000, 1_200_000, 2_400_000, 3_600_000, 3_600_000]);
    it.restart();
    it.serves(60_000);
    it.crash('process_exit', 5);
    assert.equal(it.delayMs, 300_000);
  });

  test('B-SUPER-025: a test fails by any crash, also by one that counts for the other circuit', () => {
    const it = pool();
    it.crash('process_exit', 5);
    it.restart();
    const { next, plan } = it.crash('cuda_error');
    assert.deepEqual([next.general.state, next.cuda.state, plan.held], ['open', 'closed', true]);
  });

  test('B-SUPER-046: five CUDA errors open the CUDA circuit alone, and that holds restarts', () => {
    const it = pool();
    const { next, plan, transitions } = it.crash('cuda_error', 5);
    assert.deepEqual([next.cuda.state, next.general.state, next.general.failures], ['open', 'closed', 0]);
    assert.deepEqual([plan.held, it.delayMs], [true, 300_000]);
    assert.deepEqual(
      transitions.map(({ circuit }) => circuit),
      ['cuda'],
    );
  });

  test('B-SUPER-046: crashes of other kinds do not count for the CUDA circuit', () => {
    const it = pool();
    it.crash('cuda_error', 4);
    it.restart();
    assert.deepEqual([it.crash().next.cuda.state, it.state.cuda.failures], ['closed', 4]);
  });

  test('B-SUPER-044: a reset closes it and forgets the failures; the next crash is the first', () => {
    const it = pool();
    it.crash('process_exit', 5);
    const { next, transitions } = reset(it.state);
    assert.deepEqual(
      transitions.map(({ old_state, new_state }) => [old_state, new_state]),
      [['open', 'closed']],
    );
    it.state = next;
    it.crash();
    assert.deepEqual([it.state.crash_count, it.verdict?.plan.held, it.delayMs], [1, false, 1_000]);
  });

  test('B-SUPER-043: the gauge shows 0 closed, 1 open, 2 half-open', () => {
    assert.deepEqual(CIRCUIT_GAUGE, { closed: 0, open: 1, half_open: 2 });
  });
});

describe('storms', () => {
  test('B-SUPER-033: with ten restarts in the window the next one waits until the first has left it', () => {
    const it = pool({ ...FAST, storm_restarts: 10_000 });
    it.crash('process_exit', 10);
    it.restart();
    const [firstRestartMs] = it.state.restarts_at_ms;
    assert.equal(it.state.restarts_at_ms.length, 10);
    const { plan } = it.crash();
    assert.deepEqual(plan, { held: false, at_ms: (firstRestartMs ?? 0) + 60_000, rate_limited: true });
  });

  test('B-SUPER-034: the window slides, so that two more are let through when the first eight are older', () => {
    const it = pool({ ...FAST, window_ms: 30_000, storm_restarts: 10_000 });
    it.crash('process_exit', 8);
    it.restart();
    it.nowMs += 30_000;
    for (const _ of [1, 2]) {
      assert.deepEqual([it.crash().plan.rate_limited, it.delayMs], [false, 500]);
      it.restart();
    }
    assert.equal(it.state.restart_count, 10);
  });

  test('B-SUPER-035: ten restarts in 30 s are a storm, which opens the circuit', () => {
    const it = pool(FAST);
    assert.deepEqual(it.crash('process_exit', 10).storms, []);
    it.restart();
    const { storms, next, plan } = it.crash();
    assert.deepEqual(storms, [{ kind: 'restart_storm', count: 10, window_ms: 30_000 }]);
    assert.deepEqual([next.general.state, plan.held], ['open', true]);
  });

  test('B-SUPER-006, B-SUPER-035, C-045: graceful exits alone can be a storm', () => {
    const it = pool();
    it.crash('graceful_exit', 10);
    it.restart();
    const { storms, next } = it.crash('graceful_exit');
    assert.deepEqual([storms[0]?.kind, next.general.state, next.crash_count], ['restart_storm', 'open', 0]);
  });

  test('B-SUPER-038: five crashes for want of memory in 60 s are a storm of their own', () => {
    const it = pool(FAST);
    assert.deepEqual(it.crash('out_of_memory', 4).storms, []);
    it.restart();
    assert.deepEqual(it.crash('out_of_memory').storms, [{ kind: 'oom_storm', count: 5, window_ms: 60_000 }]);
    it.restart();
    assert.deepEqual(it.crash('signal').storms, []);
  });

  test('B-SUPER-039: an operator lets one restart through; the storm is not forgotten', () => {
    const it = pool(FAST);
    it.crash('process_exit', 10);
    it.restart();
    it.crash();
    const { restart_count, restarts_at_ms } = it.state;
    it.state = letOneThrough(it.state).next;
    assert.deepEqual([it.state.restart_count, it.state.restarts_at_ms], [restart_count, restarts_at_ms]);
    assert.equal(it.crash().plan.held, true);
  });

  test('B-SUPER-030, B-SUPER-031: restarts are counted until the engine has served for 600 s', () => {
    const it = pool(NO_LIMITS);
    it.crash('process_exit', 3);
    it.restart();
    it.serves(599_999);
    assert.equal(it.state.restart_count, 3);
    it.serves(600_000);
    assert.deepEqual([it.state.restart_count, it.state.restarts_at_ms], [0, []]);
    assert.equal(nextForgivenessMs(it.state, it.policy, 600_000), undefined);
  });

  test('B-SUPER-050: pools share no memory: the storm of one leaves the other as it is', () => {
    const [stormy, calm] = [pool(FAST), pool(FAST)];
    stormy.crash('process_exit', 11);
    assert.equal(stormy.state.general.state, 'open');
    assert.deepEqual([calm.crash().plan.held, calm.delayMs], [false, 500]);
    assert.deepEqual([UNDISTURBED.crash_count, UNDISTURBED.restarts_at_ms], [0, []]);
  });
});
