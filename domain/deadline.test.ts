import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadlineHeaders, fixDeadline } from './deadline.js';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');

test('B-DEAD-001, B-DEAD-007: a deadline is an instant, which a header may bring nearer and never put off', () => {
  const fixed = (header?: string) => fixDeadline(60_000, header, NOW);
  assert.deepEqual(fixed(), { kind: 'fixed', atMs: NOW + 60_000, putOffInVain: false });
  for (const [header, afterMs, putOffInVain] of [
    ['2026-03-01T12:00:59.999Z', 59_999, false],
    ['2026-03-01T13:00:30+01:00', 30_000, false],
    ['2026-03-01T12:01:00Z', 60_000, false],
    ['2026-03-01T12:01:00.001Z', 60_000, true],
    ['2027-01-01T00:00:00Z', 60_000, true],
  ] as const) {
    assert.deepEqual(fixed(header), { kind: 'fixed', atMs: NOW + afterMs, putOffInVain }, header);
  }
  for (const passed of ['2026-03-01T12:00:00Z', '1999-01-01T00:00:00Z'])
    assert.deepEqual(fixed(passed), { kind: 'passed' });
  for (const wrong of ['', 'soon', '60000', '2026-03-01', '2026-13-01T12:00:00Z', '2026-03-01T12:00:30'])
    assert.deepEqual(fixed(wrong), { kind: 'malformed' }, wrong);
});

test('B-DEAD-004: between services it is ISO 8601 in UTC, and reads as the same instant', () => {
  const { 'x-request-deadline': header } = deadlineHeaders(NOW + 123);
  assert.equal(header, '2026-03-01T12:00:00.123Z');
  assert.deepEqual(fixDeadline(60_000, header, NOW), { kind: 'fixed', atMs: NOW + 123, putOffInVain: false });
  assert.deepEqual(deadlineHeaders(undefined), {});
});
