import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RETRY_PROFILES } from '../../domain/retry-profiles.js';
import { isPassingStatus, readRetryAfterMs, retryDelayMs } from './retry.js';

const KNOWN = { attempt: 1, retryAfterMs: undefined, remainingMs: 10_000 };

describe('when a call is tried again', () => {
  for (const status of [429, 500, 502, 503, 504]) {
    it(`B-HTTP-004: ${status} may pass`, () => assert.equal(isPassingStatus(status), true));
  }
  for (const status of [400, 401, 403, 404, 409, 422]) {
    it(`B-HTTP-003: ${status} stays`, () => assert.equal(isPassingStatus(status), false));
  }

  it('B-HTTP-009: the span of a wait doubles from 100 ms, and a wait is any part of it', () => {
    for (const [attempt, spanMs] of [
      [1, 100],
      [2, 200],
    ] as const) {
      const waits = [0, 0.5, 1].map((chance) =>
        retryDelayMs(RETRY_PROFILES.cli, { ...KNOWN, attempt }, chance),
      );
      assert.deepEqual(waits, [0, spanMs / 2, spanMs]);
    }
  });

  it('B-HTTP-009: after the third attempt there is none', () => {
    assert.equal(retryDelayMs(RETRY_PROFILES.cli, { ...KNOWN, attempt: 3 }, 0), undefined);
  });

  it('B-HTTP-002: no span is longer than 2 s', () => {
    const patient = { ...RETRY_PROFILES.cli, attempts: 50 };
    assert.equal(retryDelayMs(patient, { ...KNOWN, attempt: 40 }, 1), 2_000);
  });

  it('B-HTTP-005: what the server asks for stands above chance', () => {
    assert.equal(retryDelayMs(RETRY_PROFILES.cli, { ...KNOWN, retryAfterMs: 3_000 }, 0.5), 3_000);
  });

  it('a wait that outlasts the time for all attempts is not begun', () => {
    const asked = { ...KNOWN, retryAfterMs: 3_000, remainingMs: 3_000 };
    assert.equal(retryDelayMs(RETRY_PROFILES.cli, asked, 0), undefined);
  });

  it('B-HTTP-005: Retry-After is in seconds, or a date; anything else is none', () => {
    const nowMs = Date.parse('2026-01-01T00:00:00Z');
    assert.equal(readRetryAfterMs('7', nowMs), 7_000);
    assert.equal(readRetryAfterMs('Thu, 01 Jan 2026 00:00:02 GMT', nowMs), 2_000);
    assert.equal(readRetryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', nowMs), 0);
    for (const header of [undefined, '', 'soon']) assert.equal(readRetryAfterMs(header, nowMs), undefined);
  });
});
