import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  digestInTag,
  etaMs,
  isDownloadFailure,
  pauseBeforeNext,
  pauseForLimit,
  rateOf,
  readContentRange,
  readRetryAfter,
  readStatus,
  roomProblem,
  strongTag,
  withSample,
  type ByteSample,
} from './download.js';

test('B-MODEL-011, B-HTTP-010, C-165: six attempts, the first pause 100 ms, doubling', () => {
  const pauses = [1, 2, 3, 4, 5, 6, 7].map((attempt) =>
    pauseBeforeNext({ attempt, type: 'DOWNLOAD_FAILED', passing: true, retryAfterMs: null }),
  );
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, undefined, undefined]);
});

test('what cannot pass is not tried again; a server may ask for patience, within reason', () => {
  const failed = { attempt: 1, type: 'DOWNLOAD_FAILED' as const, passing: true, retryAfterMs: null };
  assert.equal(pauseBeforeNext({ ...failed, passing: false }), undefined);
  assert.equal(pauseBeforeNext({ ...failed, retryAfterMs: 7_000 }), 7_000);
  assert.equal(pauseBeforeNext({ ...failed, retryAfterMs: 10 }), 100);
  assert.equal(pauseBeforeNext({ ...failed, retryAfterMs: 86_400_000 }), 300_000);
});

test('B-MODEL-012, B-MODEL-016, B-MODEL-017: what a status says of the file', () => {
  const redirects = [301, 302, 303, 307, 308].map((status): [number, string] => [status, 'redirect']);
  const kinds: [number, string][] = [
    [200, 'whole'],
    [206, 'rest'],
    [412, 'anew'],
    [416, 'anew'],
    ...redirects,
  ];
  for (const [status, kind] of kinds) assert.equal(readStatus(status, '').kind, kind, String(status));
  const failures: [number, string, boolean][] = [
    [401, 'MODEL_ACCESS_DENIED', false],
    [403, 'MODEL_ACCESS_DENIED', false],
    [404, 'MODEL_NOT_FOUND', false],
    [410, 'MODEL_NOT_FOUND', false],
    [400, 'DOWNLOAD_FAILED', false],
    [408, 'DOWNLOAD_FAILED', true],
    [429, 'DOWNLOAD_FAILED', true],
    [500, 'DOWNLOAD_FAILED', true],
    [503, 'DOWNLOAD_FAILED', true],
    [204, 'DOWNLOAD_FAILED', false],
  ];
  for (const [status, type, passing] of failures) {
    const verdict = readStatus(status, 'set HF_TOKEN on the node');
    assert.ok(verdict.kind === 'failed', String(status));
    assert.deepEqual([verdict.type, verdict.passing], [type, passing], String(status));
    assert.equal(verdict.message.includes('HF_TOKEN'), status === 401 || status === 403);
  }
});

test('headers are read or not believed', () => {
  assert.deepEqual(readContentRange('bytes 5-9/10'), { from: 5, total: 10 });
  assert.deepEqual(readContentRange('bytes 5-9/*'), { from: 5, total: null });
  for (const bad of [undefined, '', 'bytes */10', 'items 1-2/3'])
    assert.equal(readContentRange(bad), undefined);
  assert.deepEqual(['2', '0', undefined, 'Wed, 21 Oct 2026 07:28:00 GMT'].map(readRetryAfter), [
    2_000,
    0,
    null,
    null,
  ]);
  const hex = 'ab'.repeat(32);
  assert.deepEqual([`"${hex}"`, hex, `W/"${hex}"`].map(digestInTag), [hex, hex, hex]);
  for (const other of [undefined, '"abc"', `"${'ab'.repeat(20)}"`, `"${hex}-2"`])
    assert.equal(digestInTag(other), null);
  assert.deepEqual(['"a"', 'W/"a"', undefined].map(strongTag), ['"a"', null, null]);
});

test('B-MODEL-018: a disk without room is told of with what is needed, what is there and what to free', () => {
  assert.equal(roomProblem(10, 10), undefined);
  const problem = roomProblem(100, 30) ?? '';
  assert.match(problem, /needs 100 bytes.*has 30; free 70 bytes/);
});

test('B-MODEL-020: a limit makes a reader wait for as long as it was too fast', () => {
  assert.equal(pauseForLimit(1_000, 0, null), 0);
  assert.equal(pauseForLimit(1_000, 0, 1_000), 1_000);
  assert.equal(pauseForLimit(1_000, 400, 1_000), 600);
  assert.equal(pauseForLimit(1_000, 1_400, 1_000), 0);
});

test('the rate is that of the last seconds, and says how long the rest takes', () => {
  let samples: ByteSample[] = [];
  assert.equal(rateOf(samples), 0);
  for (let second = 0; second <= 20; second += 1) {
    samples = withSample(samples, {
      atMs: second * 1000,
      bytes: second < 10 ? second * 100 : 1_000 + (second - 10) * 10,
    });
  }
  assert.ok(samples.length <= 7, String(samples.length));
  assert.equal(rateOf(samples), 10);
  assert.equal(rateOf([{ atMs: 5, bytes: 1 }]), 0);
  assert.equal(
    rateOf([
      { atMs: 0, bytes: 9 },
      { atMs: 5, bytes: 1 },
    ]),
    0,
  );
  assert.equal(etaMs(500, 1_000, 100), 5_000);
  assert.equal(etaMs(1_500, 1_000, 100), 0);
  assert.deepEqual([etaMs(1, null, 100), etaMs(1, 10, 0)], [null, null]);
});

test('what others call their failures is none of ours', () => {
  assert.deepEqual(['DISK_FULL', 'toString', 'HealthTimeout'].map(isDownloadFailure), [true, false, false]);
});
