import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rise, startedAtMs } from './processes.js';

test('a start in ticks since boot becomes a time of the wall clock', () => {
  assert.equal(startedAtMs('9750', '100.00 180.42\n', 1_000_000), 997_500);
});

test('what a process used between two looks is the difference, all of it when it is new', () => {
  assert.deepEqual(rise({ api: 10 }, { api: 25, node: 5 }), { api: 15, node: 5 });
});
