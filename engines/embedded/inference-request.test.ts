/** Which bodies of `POST /v1/inference` are taken, and what is said of the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDeadline } from './deadline.js';
import { readInference } from './inference-request.js';
import { WorkerError } from './worker-error.js';

const MOST_TOKENS = 2048;
const GOOD = { job_id: 'job-1', prompt: 'Tell me about the sea', max_tokens: 8 };

function refusal(body: unknown, mostTokens = MOST_TOKENS): WorkerError {
  try {
    readInference(typeof body === 'string' ? body : JSON.stringify(body), mostTokens);
  } catch (error) {
    assert.ok(error instanceof WorkerError);
    return error;
  }
  throw new Error('it was taken');
}

function wrongFields(changes: object, mostTokens?: number): string[] {
  const { code, status, details } = refusal({ ...GOOD, ...changes }, mostTokens);
  assert.deepEqual([code, status], ['INVALID_REQUEST', 400]);
  return (details['errors'] as { field: string }[]).map(({ field }) => field);
}

test('B-INF-001, B-INF-002: what is no JSON is told from what is no object, each with what was found', () => {
  const rows: [string, string, object][] = [
    ['{"job_id": "a" 1}', 'INVALID_JSON', { position: 15 }],
    ['{"job_id": }', 'INVALID_JSON', {}],
    ['', 'INVALID_JSON', { position: 0 }],
    ['[1]', 'INVALID_REQUEST_FORMAT', { got: 'array' }],
    ['"text"', 'INVALID_REQUEST_FORMAT', { got: 'string' }],
    ['null', 'INVALID_REQUEST_FORMAT', { got: 'null' }],
  ];
  for (const [body, code, details] of rows) {
    const error = refusal(body);
    assert.deepEqual([body, error.code, error.status, error.details], [body, code, 400, details]);
  }
});

test('B-INF-003, B-INF-004, B-INF-005: the job, the prompt and the most tokens must be there and within bounds', () => {
  for (const field of ['job_id', 'prompt', 'max_tokens'])
    assert.deepEqual(wrongFields({ [field]: undefined }), [field]);
  for (const job_id of ['', 7]) assert.deepEqual(wrongFields({ job_id }), ['job_id']);
  for (const prompt of ['', 'x'.repeat(32_769)]) assert.deepEqual(wrongFields({ prompt }), ['prompt']);
  for (const max_tokens of [0, 2049, 1.5, '8']) assert.deepEqual(wrongFields({ max_tokens }), ['max_tokens']);
  assert.deepEqual(wrongFields({ max_tokens: 101 }, 100), ['max_tokens']);
  const atTheBounds = { ...GOOD, prompt: '☕'.repeat(32_768), max_tokens: 2048 };
  assert.equal(readInference(JSON.stringify(atTheBounds), MOST_TOKENS).settings.maxTokens, 2048);
});

test('B-INF-006, B-INF-007, B-INF-008: sampling and stop words stay within theirs', () => {
  const rows: [string, unknown[], unknown[]][] = [
    ['temperature', [-0.1, 2.1, 'warm'], [0, 2]],
    ['top_p', [-0.1, 1.1], [0, 1]],
    ['min_p', [-0.1, 1.1], [0, 1]],
    ['top_k', [-1, 1.5], [0, 40]],
    ['repetition_penalty', [-0.1, 2.1], [0, 2]],
    [
      'stop',
      [['a', 'b', 'c', 'd', 'e'], [''], ['x'.repeat(101)], 'a'],
      [['a', 'b', 'c', 'x'.repeat(100)], []],
    ],
  ];
  for (const [field, bad, good] of rows) {
    for (const value of bad)
      assert.deepEqual(wrongFields({ [field]: value }), [field], JSON.stringify(value));
    for (const value of good) readInference(JSON.stringify({ ...GOOD, [field]: value }), MOST_TOKENS);
  }
  assert.equal(readInference(JSON.stringify(GOOD), MOST_TOKENS).settings.temperature, 1);
});

test('B-INF-009: all wrong fields are named in one answer, with their rules and figures and never the prompt', () => {
  const secret = 'the secret '.repeat(4_000);
  const error = refusal({ job_id: '', prompt: secret, max_tokens: 9_999, temperature: 3 });
  const { errors } = error.toBody() as { errors: { field: string; constraint: string; value?: unknown }[] };
  assert.deepEqual(
    errors.map(({ field, constraint, value }) => [field, constraint, value]),
    [
      ['job_id', 'a text of 1 to 128 characters', undefined],
      ['prompt', 'a text of 1 to 32768 characters', undefined],
      ['max_tokens', 'a whole number from 1 to 2048', 9_999],
      ['temperature', 'a number from 0 to 2', 3],
    ],
  );
  assert.doesNotMatch(JSON.stringify(error.toBody()), /secret/);
});

test('B-DEAD-008: where no deadline is given an inference has 30 s; a given one counts, up to a day', () => {
  const nowMs = Date.parse('2030-01-01T00:00:00Z');
  assert.equal(readDeadline(undefined, nowMs), nowMs + 30_000);
  assert.equal(readDeadline('2030-01-01T00:01:00.5Z', nowMs), nowMs + 60_500);
  assert.equal(readDeadline('2040-01-01T00:00:00Z', nowMs), nowMs + 86_400_000);
  assert.throws(() => readDeadline('soon', nowMs), { code: 'INVALID_REQUEST' });
});
