import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  idleTtlMs,
  leastRecentlyUsed,
  loadProgress,
  maySleep,
  sleepsAtMs,
  type LoadedPool,
} from './sleep.js';

const onDemand = { on_demand: true };
const pool = (poolId: string, usedAtMs: number, changes: Partial<LoadedPool> = {}): LoadedPool => ({
  ...{ poolId, usedAtMs, tasks: 0, wishes: onDemand },
  ...changes,
});

test('a pool on demand sleeps after five minutes, others when they say so, and nobody after 0', () => {
  const asked = [
    {},
    onDemand,
    { idle_ttl_ms: 5 },
    { ...onDemand, idle_ttl_ms: 0 },
    { ...onDemand, idle_ttl_ms: 7 },
  ];
  assert.deepEqual(asked.map(idleTtlMs), [null, 300_000, 5, null, 7]);
  assert.deepEqual(asked.map(maySleep), [false, true, true, true, true]);
});

test('it sleeps so long after its last task, and never while it has one', () => {
  const wishes = { idle_ttl_ms: 1_000 };
  assert.equal(sleepsAtMs(pool('a', 500, { wishes })), 1_500);
  assert.equal(sleepsAtMs(pool('a', 500, { wishes, tasks: 1 })), null);
  assert.equal(sleepsAtMs(pool('a', 500, { wishes: {} })), null);
});

test('room is made by the idle pool that was used least recently; neither a busy one nor one that may not sleep goes', () => {
  const loaded = [
    pool('pinned', 1, { wishes: {} }),
    pool('busy', 2, { tasks: 1 }),
    pool('late', 9),
    pool('b', 4),
    pool('a', 4),
  ];
  assert.equal(leastRecentlyUsed(loaded)?.poolId, 'a');
  assert.equal(leastRecentlyUsed(loaded.slice(0, 2)), undefined);
});

test('a load is told by what the last one took, and is never done before it is', () => {
  assert.deepEqual(loadProgress({ elapsedMs: 500, lastMs: null }), { pct: null, etaMs: null });
  assert.deepEqual(loadProgress({ elapsedMs: 500, lastMs: 2_000 }), { pct: 25, etaMs: 1_500 });
  assert.deepEqual(loadProgress({ elapsedMs: 5_000, lastMs: 2_000 }), { pct: 99, etaMs: 0 });
});
