import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drainRefusal, earlierDeadline, sendsAway } from './drain.js';
import { POOL_STATES } from './pool.js';

test('B-CP-037: only a pool that another operation brings up cannot be drained', () => {
  const refused = POOL_STATES.filter((state) => drainRefusal(state) !== null);
  assert.deepEqual(refused, ['provisioning', 'starting', 'reloading']);
});

test('B-CP-026: of two deadlines the earlier one counts, whichever was asked for first', () => {
  assert.equal(earlierDeadline(10_000, 4_000, 1_000), 5_000);
  assert.equal(earlierDeadline(10_000, 4_000, 60_000), 10_000);
});

test('B-DRAIN-015: what waits looks for another pool where this one is taken out of service, and nowhere else', () => {
  assert.deepEqual(
    POOL_STATES.filter((state) => sendsAway(state)),
    POOL_STATES.filter((state) => ['draining', 'offline'].includes(state)),
  );
});
