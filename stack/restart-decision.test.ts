import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideRestart, MOST_RESTARTS, WINDOW_MS } from './restart-decision.js';

describe('a process that ended unasked', () => {
  const pauses = [
    { earlier: 0, afterMs: 250 },
    { earlier: 1, afterMs: 500 },
    { earlier: 3, afterMs: 2_000 },
    { earlier: 4, afterMs: 4_000 },
  ];
  for (const { earlier, afterMs } of pauses) {
    it(`is started again after ${afterMs} ms when it ended ${earlier} times before`, () => {
      const ends = Array.from({ length: earlier }, (_, index) => index);
      assert.deepEqual(decideRestart(ends, 10), { restart: true, afterMs, ends: [...ends, 10] });
    });
  }

  it('is given up when it ends too often within the window', () => {
    const ends = Array.from({ length: MOST_RESTARTS }, (_, index) => index);
    assert.equal(decideRestart(ends, 10).restart, false);
  });

  it('is forgiven what lies before the window', () => {
    const ends = Array.from({ length: MOST_RESTARTS }, (_, index) => index);
    assert.deepEqual(decideRestart(ends, WINDOW_MS + 100), {
      restart: true,
      afterMs: 250,
      ends: [WINDOW_MS + 100],
    });
  });
});
