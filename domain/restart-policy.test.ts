import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs, deadLimits, DEFAULT_RESTART_POLICY, policyProblems } from './restart-policy.js';

const policy = DEFAULT_RESTART_POLICY;
/** Chance that makes a delay neither longer nor shorter. */
const EVEN = 0.5;

test('B-SUPER-010, B-SUPER-011, B-SUPER-012: a crash doubles the delay of the one before, up to the cap', () => {
  const delays = Array.from({ length: 10 }, (_, index) => backoffMs(policy, index + 1, 'process_exit', EVEN));
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
  assert.equal(backoffMs(policy, 1_000, 'process_exit', 1), 60_000);
});

test('B-SUPER-013, B-SUPER-051: chance moves a delay by a tenth at most, within minimum and cap', () => {
  assert.deepEqual(
    [0, 0.25, EVEN, 1].map((random) => backoffMs(policy, 2, 'signal', random)),
    [1_800, 1_900, 2_000, 2_200],
  );
  assert.deepEqual(
    [0, 1].map((random) => backoffMs(policy, 9, 'signal', random)),
    [54_000, 60_000],
  );
  assert.equal(backoffMs({ ...policy, min_ms: 1_000 }, 1, 'signal', 0), 1_000);
});

test('B-SUPER-019: no delay is below the minimum', () => {
  const quick = { ...policy, initial_ms: 1, min_ms: 500 };
  for (const random of [0, EVEN, 1]) assert.equal(backoffMs(quick, 1, 'signal', random), 500);
});

test('B-SUPER-026: a CUDA error waits twice as long, and no longer than the cap', () => {
  assert.equal(backoffMs(policy, 1, 'cuda_error', EVEN), 2_000);
  assert.equal(backoffMs(policy, 3, 'cuda_error', EVEN), 8_000);
  assert.equal(backoffMs(policy, 6, 'cuda_error', EVEN), 60_000);
});

test('B-SUPER-006: an exit that is no crash waits for the minimum alone', () => {
  assert.equal(backoffMs(policy, 0, 'graceful_exit', 1), 500);
});

test('B-SUPER-029: a policy whose numbers contradict one another names them', () => {
  const problems = (changes: Partial<typeof policy>) =>
    policyProblems({ ...policy, ...changes }).map(({ field, problem }) => `${field} ${problem}`);
  assert.deepEqual(problems({}), []);
  assert.deepEqual(problems({ cap_ms: 900 }), ['cap_ms must not be below initial_ms']);
  assert.deepEqual(problems({ factor: 0.9 }), ['factor must be 1 or more']);
  assert.deepEqual(problems({ jitter: 1.1 }), ['jitter must be from 0 to 1']);
  assert.deepEqual(problems({ jitter: -0.1 }), ['jitter must be from 0 to 1']);
  assert.deepEqual(problems({ initial_ms: 1, min_ms: 70_000 }), ['cap_ms must not be below min_ms']);
  assert.deepEqual(problems({ circuit_open_cap_ms: 1 }), [
    'circuit_open_cap_ms must not be below circuit_open_ms',
  ]);
});

test('B-SUPER-052: limits that nothing can reach are named, the defaults have none', () => {
  const dead = (changes: Partial<typeof policy>) =>
    deadLimits({ ...policy, ...changes }).map((line) => line.split(':')[0]);
  assert.deepEqual(dead({}), []);
  // Ten restarts take 45 s at least, so a storm of ten within 30 s never comes.
  assert.deepEqual(dead({ min_ms: 5_000, initial_ms: 5_000 }), ['storm_restarts', 'oom_crashes']);
  assert.deepEqual(dead({ window_restarts: 130, storm_restarts: 5 }), ['window_restarts']);
  assert.deepEqual(dead({ window_warning: 10 }), ['window_warning']);
  assert.deepEqual(dead({ storm_restarts: 11 }), ['storm_restarts']);
  assert.deepEqual(dead({ circuit_threshold: 4 }), ['oom_crashes']);
  assert.deepEqual(dead({ oom_ms: 10_000 }), ['oom_crashes']);
});
