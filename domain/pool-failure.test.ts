import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPoolFailure, isRefusal, POOL_FAILURES } from './pool-failure.js';

test('B-ERROR-023: the failures of pools have the types that operators know', () => {
  for (const type of [
    'GpuRequired',
    'InsufficientVram',
    'InsufficientRam',
    'GpuTooHot',
    'SpawnFailed',
    'HealthTimeout',
    'EngineExited',
    'ModelUnavailable',
    'HandoffWriteFailed',
    'DrainTimeout',
    'RollbackFailed',
  ]) {
    assert.equal(isPoolFailure(type), true, type);
  }
  assert.equal(isPoolFailure('toString'), false);
});

test('B-PREFLIGHT-024: missing hardware, programs and models are final, a shortage of memory may pass', () => {
  assert.equal(POOL_FAILURES.GpuRequired.retryable, false);
  assert.equal(POOL_FAILURES.ModelUnavailable.retryable, false);
  assert.equal(POOL_FAILURES.SpawnFailed.retryable, false);
  assert.equal(POOL_FAILURES.InsufficientVram.retryable, true);
  assert.equal(POOL_FAILURES.InsufficientRam.retryable, true);
});

test('only what never touched the pool is a refusal', () => {
  assert.equal(isRefusal('POOL_CONFLICT'), true);
  assert.equal(isRefusal('INVALID_PARAMS'), true);
  assert.equal(isRefusal('GpuRequired'), false);
});
