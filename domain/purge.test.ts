import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayBeForgotten } from './pool.js';
import { drainOfPurge } from './purge.js';

const WISH = { purge_engine: false, delete_cache_dirs: false, drain_first: true, drain_deadline_ms: 7 };

test('B-CP-040, B-CP-042: a purge drains its pool first, by the deadline that is asked for', () => {
  assert.deepEqual(drainOfPurge(WISH), { deadline_ms: 7 });
  assert.deepEqual(drainOfPurge({ ...WISH, purge_engine: true }), { deadline_ms: 7 });
});

test('B-CP-040: without drain_first nothing is drained, but an engine whose pool or directories go is stopped at once', () => {
  const now = { ...WISH, drain_first: false };
  assert.equal(drainOfPurge(now), null);
  assert.deepEqual(drainOfPurge({ ...now, purge_engine: true }), { deadline_ms: 0 });
  assert.deepEqual(drainOfPurge({ ...now, delete_cache_dirs: true }), { deadline_ms: 0 });
});

test('OC-POOL-3106: a pool is forgotten only where nothing runs and nothing is about to', () => {
  for (const state of ['offline', 'uninitialized', 'failed'] as const)
    assert.ok(mayBeForgotten(state), state);
  for (const state of ['provisioning', 'starting', 'ready', 'draining', 'reloading', 'backoff'] as const)
    assert.ok(!mayBeForgotten(state), state);
});
