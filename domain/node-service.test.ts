import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isHeard,
  NODE_STATES,
  reconnectDelayMs,
  stateAt,
  takesTasks,
  versionsAgree,
} from './node-service.js';

test('B-NAPI-004, B-NAPI-006: thirty seconds of silence make a node offline, whatever it was; a failure outlasts it', () => {
  const rows = [
    ['online', 30_000, 'online'],
    ['online', 30_001, 'offline'],
    ['registering', 30_001, 'offline'],
    ['failed', 90_000, 'failed'],
    ['left', 0, undefined],
  ] as const;
  for (const [kept, silentMs, expected] of rows)
    assert.equal(
      stateAt({ state: kept, drains: false }, 1_000, 1_000 + silentMs),
      expected,
      `${kept} after ${silentMs}`,
    );
});

test('tasks go to nodes that are online, and to no others', () => {
  assert.deepEqual(NODE_STATES.filter(takesTasks), ['online']);
});

test('B-NAPI-011: a node that drains says so while it is heard, is asked how it stands, and gets nothing new', () => {
  const standing = (state: 'registering' | 'online' | 'failed', silentMs: number) =>
    stateAt({ state, drains: true }, 0, silentMs);
  assert.deepEqual(
    [
      standing('registering', 0),
      standing('online', 30_000),
      standing('online', 30_001),
      standing('failed', 0),
    ],
    ['registering', 'draining', 'offline', 'failed'],
  );
  assert.deepEqual([takesTasks('draining'), isHeard('draining'), isHeard('offline')], [false, true, false]);
});

test('B-NAPI-014: versions go together within a minor line', () => {
  assert.ok(versionsAgree('1.4.0', '1.4.9'));
  assert.ok(versionsAgree('1.4.0', 'v1.4.1-rc.2'));
  for (const [one, other] of [
    ['1.4.0', '1.5.0'],
    ['1.4.0', '2.4.0'],
    ['1.4.0', '1.40.0'],
    ['nonsense', 'nonsense'],
  ] as const)
    assert.equal(versionsAgree(one, other), false, `${one} and ${other}`);
});

test('a lost API is tried five times a round, after one to sixteen seconds and up to one more', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((attempt) => reconnectDelayMs(attempt, 0)),
    [1_000, 2_000, 4_000, 8_000, 16_000, undefined],
  );
  assert.equal(reconnectDelayMs(2, 1), 3_000);
});
