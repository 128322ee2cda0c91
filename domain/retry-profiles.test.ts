import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RETRY_PROFILES, spanAfter, type RetryProfile } from './retry-profiles.js';

const spans = (profile: RetryProfile) => [1, 2, 3, 4, 5, 6, 40].map((attempt) => spanAfter(profile, attempt));

test('C-165: each kind of call has one schedule, by its name', () => {
  const none = undefined;
  assert.deepEqual(spans(RETRY_PROFILES.cli), [100, 200, none, none, none, none, none]);
  assert.deepEqual(spans(RETRY_PROFILES.resume), [100, 200, 400, 800, 1_600, 2_000, 2_000]);
  assert.deepEqual(spans(RETRY_PROFILES.download), [100, 200, 400, 800, 1_600, none, none]);
  assert.deepEqual(spans(RETRY_PROFILES['worker-busy']), [1_000, 2_000, 4_000, none, none, none, none]);
  assert.deepEqual(spans(RETRY_PROFILES['node-connect']), [200, 400, none, none, none, none, none]);
});
