import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryAdvice } from './retry-after.js';

const second = { serviceMs: 1000 };

test('B-DP-032: without a measure the advice is the inherited second, however many were refused', () => {
  const advice = new RetryAdvice();
  for (let i = 0; i < 20; i++) assert.equal(advice.adviseMs(0, {}, 4), 1000);
  assert.equal(advice.adviseMs(0, second, 0), 1000, 'a pool without slots has no pace');
});

test('B-DP-031: each who is refused is told to come later than the one before, by the measured pace of the slots', () => {
  const advice = new RetryAdvice();
  const told = [1, 2, 3, 4].map(() => advice.adviseMs(0, second, 1));
  assert.deepEqual(told, [3000, 4828, 6464, 8000]);
  const faster = new RetryAdvice();
  assert.deepEqual(
    [1, 2, 3, 4].map(() => faster.adviseMs(0, second, 4)),
    [1000, 1207, 1616, 2000],
  );
});

test('whose moment has passed is not counted on any more', () => {
  const advice = new RetryAdvice();
  assert.equal(advice.adviseMs(0, second, 1), 3000);
  assert.equal(advice.adviseMs(4000, second, 1), 4828, 'he may be just coming');
  assert.equal(advice.adviseMs(20_000, second, 1), 3000);
});

test('nobody is told to come after more than ten minutes, and a flood is not remembered whole', () => {
  const advice = new RetryAdvice();
  const told = Array.from({ length: 2000 }, () => advice.adviseMs(0, { serviceMs: 60_000 }, 1));
  assert.equal(Math.max(...told), 600_000);
  assert.equal((advice as unknown as { due: number[] }).due.length, 1000);
});
