import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError, errorEnvelope, isRetriable, statusOf, type ErrorCode } from './errors.js';
import { asTaskEnvelope, asTaskError, taskCodeOf } from './task-errors.js';

/** data-plane 10, and what any route may answer. */
const OF_TASKS: readonly ErrorCode[] = [
  ...([
    'INVALID_PARAMS',
    'DEADLINE_UNMET',
    'ADMISSION_REJECT',
    'QUEUE_FULL_DROP_LRU',
    'POOL_UNREADY',
  ] as const),
  ...(['POOL_UNAVAILABLE', 'REPLICA_EXHAUSTED', 'DECODE_TIMEOUT', 'WORKER_RESET', 'INTERNAL'] as const),
  ...(['MODEL_DEPRECATED', 'MODEL_NOT_FOUND', 'UNTRUSTED_ARTIFACT', 'CANCELLED', 'TASK_NOT_FOUND'] as const),
  ...([
    'POOL_NOT_FOUND',
    'SESSION_NOT_FOUND',
    'ARTIFACT_NOT_FOUND',
    'TASK_CONFLICT',
    'RELOAD_FAILED',
  ] as const),
  ...([
    'MISSING_TOKEN',
    'BAD_TOKEN',
    'BAD_API_KEY',
    'FORBIDDEN_HOST',
    'FORBIDDEN_ROLE',
    'RATE_LIMITED',
  ] as const),
  ...(['ROUTE_NOT_FOUND', 'OFFER_WITHDRAWN', 'TEMPORAL_UNAVAILABLE', 'STORE_UNAVAILABLE'] as const),
];
/** Of routes that no task goes through: pools, keys, operations, artifacts of nodes. */
const ELSEWHERE: readonly ErrorCode[] = [
  ...(['OPERATION_NOT_FOUND', 'KEY_NOT_FOUND', 'KEY_LIMIT', 'MODEL_IN_USE', 'POOL_CONFLICT'] as const),
  ...(['PRELOAD_FAILED', 'DRAIN_FAILED', 'PURGE_FAILED', 'SINGLE_NODE_MODE'] as const),
];
const ALL = errorEnvelope.shape.code.options;

test('B-RERR-002: every code of nodes and workers is one of tasks to whoever asked for a task', () => {
  const layer = ALL.filter((code) => !OF_TASKS.includes(code) && !ELSEWHERE.includes(code));
  assert.ok(layer.length >= 30, String(layer.length));
  for (const code of layer) {
    const told = asTaskError(new DroverError(code, 'as it is'));
    assert.ok(OF_TASKS.includes(told.code), `${code} is told as ${told.code}`);
    const { retriable, details, message } = told.toEnvelope();
    assert.deepEqual(
      [message, told.status, retriable, details],
      ['as it is', statusOf(told.code), isRetriable(told.code), { cause_code: code }],
    );
  }
});

test('B-RERR-002: what speaks of tasks is told as it is, and what is known stays beside the first code', () => {
  for (const code of OF_TASKS) assert.equal(taskCodeOf(code), code);
  const full = new DroverError('ADMISSION_REJECT', 'the queue is full', { retry_after_ms: 7 });
  assert.equal(asTaskError(full), full);
  const told = asTaskEnvelope({
    ...{ code: 'INSUFFICIENT_DISK_SPACE', message: 'no room', retriable: false, correlation_id: 'c-1' },
    ...{ pool_id: 'p', details: { required_bytes: 5 } },
  });
  assert.deepEqual(told, {
    ...{ code: 'POOL_UNAVAILABLE', message: 'no room', retriable: true, correlation_id: 'c-1', pool_id: 'p' },
    details: { required_bytes: 5, cause_code: 'INSUFFICIENT_DISK_SPACE' },
  });
});
