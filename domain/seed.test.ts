import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from './seed.js';

test("B-DP-192: a seed that was asked for is taken, without one the task's id gives the same each time", () => {
  assert.equal(seedOf({ task_id: 't', seed: 0 }), 0);
  assert.equal(seedOf({ task_id: 't', seed: 7 }), 7);
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (task_id) => {
      const seed = seedOf({ task_id });
      return seed === seedOf({ task_id }) && Number.isInteger(seed) && seed >= 0 && seed <= 0x7fffffff;
    }),
  );
  const seeds = Array.from({ length: 1_000 }, (_, index) => seedOf({ task_id: `task-${index}` }));
  assert.ok(new Set(seeds).size > 990);
});
