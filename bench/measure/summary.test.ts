import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, summarize } from './summary.js';

test('quantiles are samples, by nearest rank', () => {
  const samples = Array.from({ length: 100 }, (_, at) => 100 - at);
  assert.deepEqual(summarize(samples), { count: 100, p50: 50, p90: 90, p99: 99, max: 100 });
  assert.deepEqual(summarize([7]), { count: 1, p50: 7, p90: 7, p99: 7, max: 7 });
});

test('numbers are sorted as numbers', () => {
  assert.equal(median([10, 9, 100]), 10);
});

test('nothing, and what is no number, cannot be summed up', () => {
  assert.throws(() => summarize([]), /nothing to sum up/);
  assert.throws(() => summarize([1, Number.NaN]), /nothing to sum up/);
});
