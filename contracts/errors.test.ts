import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DroverError,
  errorEnvelope,
  isErrorCode,
  isRetriable,
  retryAfterSeconds,
  statusOf,
  type ErrorCode,
} from './errors.js';

test('B-ERR-021, B-ERR-010, B-ERR-013: the taxonomy says one status and one retriable flag a code', () => {
  const table: [ErrorCode, number, boolean][] = [
    ['INVALID_PARAMS', 400, false],
    ['DEADLINE_UNMET', 400, false],
    ['ADMISSION_REJECT', 429, true],
    ['QUEUE_FULL_DROP_LRU', 429, true],
    ['POOL_UNREADY', 503, true],
    ['POOL_UNAVAILABLE', 503, true],
    ['REPLICA_EXHAUSTED', 503, true],
    ['DECODE_TIMEOUT', 504, true],
    ['WORKER_RESET', 502, true],
    ['INTERNAL', 500, false],
    ['MODEL_DEPRECATED', 409, false],
    ['MODEL_NOT_FOUND', 404, false],
    ['UNTRUSTED_ARTIFACT', 400, false],
    ['TASK_NOT_FOUND', 404, false],
    ['TASK_CONFLICT', 409, false],
    ['RELOAD_FAILED', 409, false],
  ];
  for (const [code, status, retriable] of table) {
    assert.equal(statusOf(code), status, code);
    assert.equal(isRetriable(code), retriable, code);
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
  }
});

test('B-DP-033, B-ERR-011, B-ERR-014: an envelope holds what is known and leaves out what is not', () => {
  const bare = new DroverError('INTERNAL', 'it failed').toEnvelope();
  assert.deepEqual(bare, { code: 'INTERNAL', message: 'it failed', retriable: false });
  const full = new DroverError('ADMISSION_REJECT', 'full', {
    engine: 'llamacpp',
    retry_after_ms: 1500,
    policy_label: 'reject',
  });
  const envelope = full.toEnvelope('c-1');
  assert.deepEqual(errorEnvelope.parse(envelope), envelope);
  assert.equal(envelope.retry_after_ms, 1500);
  assert.equal(envelope.correlation_id, 'c-1');
});

test('B-DP-031, B-ERR-016: Retry-After is whole seconds, at least one', () => {
  assert.deepEqual([0, 1, 999, 1000, 1999, 61_000].map(retryAfterSeconds), [1, 1, 1, 1, 1, 61]);
});

test('B-RERR-003: the class of an error is its status: 400 validation, 401 and 403 access, 404 unknown, 409 conflict, 503 exhausted, 500 internal', () => {
  const classes: Record<number, ErrorCode[]> = {
    400: [
      'INVALID_PARAMS',
      'INVALID_MODEL_REFERENCE',
      'INVALID_MODEL_PATH',
      'INVALID_SSH_USER',
      'INVALID_SSH_HOST',
    ],
    401: ['MISSING_TOKEN', 'BAD_TOKEN'],
    403: ['BAD_API_KEY', 'FORBIDDEN_ROLE', 'FORBIDDEN_HOST', 'MODEL_ACCESS_DENIED'],
    404: [
      ...(['POOL_NOT_FOUND', 'TASK_NOT_FOUND', 'MODEL_NOT_FOUND', 'WORKER_NOT_FOUND'] as const),
      ...([
        'NODE_NOT_FOUND_IN_REGISTRY',
        'OPERATION_NOT_FOUND',
        'ARTIFACT_NOT_FOUND',
        'KEY_NOT_FOUND',
      ] as const),
    ],
    409: ['TASK_CONFLICT', 'POOL_CONFLICT', 'DUPLICATE_NODE', 'MODEL_IN_USE', 'WORKER_STATE_MISMATCH'],
    500: ['INTERNAL', 'PRELOAD_FAILED', 'DRAIN_FAILED'],
    503: [
      ...(['REPLICA_EXHAUSTED', 'NO_WORKERS', 'NO_IDLE_WORKERS', 'NO_READY_WORKERS'] as const),
      ...(['NO_WORKERS_IN_REGISTRY', 'POOL_UNAVAILABLE', 'STORE_UNAVAILABLE', 'WORKER_UNHEALTHY'] as const),
    ],
  };
  for (const [status, codes] of Object.entries(classes))
    for (const code of codes) assert.equal(statusOf(code), Number(status), code);
});

test('what others call their errors is none of our codes', () => {
  assert.equal(isErrorCode('INTERNAL'), true);
  for (const code of ['toString', 'constructor', 'ECONNRESET', ''])
    assert.equal(isErrorCode(code), false, code);
});
