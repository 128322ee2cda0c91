import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mixedSetProblem } from './replica-set.js';

const of = (engine_version: string | null, sampler_profile_version?: string) => ({
  engine_version,
  sampler_profile_version,
});

test('B-DP-191: replicas of one set have one engine version and one sampler profile; what nobody said is not held against any', () => {
  assert.equal(mixedSetProblem(of('b1', 's1'), []), undefined);
  assert.equal(mixedSetProblem(of('b1', 's1'), [of('b1', 's1'), of(null), of('unknown')]), undefined);
  assert.equal(mixedSetProblem(of(null), [of('b1', 's1')]), undefined);
  assert.match(mixedSetProblem(of('b2'), [of('b1')]) ?? '', /engine version b1, and this one has b2/);
  assert.match(mixedSetProblem(of('b1', 's2'), [of('b1', 's1')]) ?? '', /sampler profile s1, .* s2/);
});
