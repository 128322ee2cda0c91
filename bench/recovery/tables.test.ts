import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adoptionGoals, adoptionTable } from './adoption.js';
import { crashTable } from './crash.js';
import { interruptionTable } from './interruption.js';

test('a gap stands beside the undisturbed one, less the pause that was made on purpose', () => {
  const one = (gapMs: number, pauseMs = 0) => ({ gapMs, pauseMs, tokens: 200 });
  const { rows } = interruptionTable(
    new Map([
      ['nothing' as const, [one(25), one(24), one(30)]],
      ['the engine' as const, [one(1_425, 1_050), one(1_400, 900), one(1_600, 1_000)]],
    ]),
  );
  assert.deepEqual(rows, [
    ['nothing', '3', '25.0', '30.0', '', '', '600', '0', '0'],
    ['the engine', '3', '1425', '1600', '1000', '475', '600', '0', '0'],
  ]);
});

test('a restart is held against a start by hand without its delay', () => {
  const { rows } = crashTable(
    [
      { noticedMs: 200, delayMs: 1_050, readyMs: 1_650 },
      { noticedMs: 300, delayMs: 950, readyMs: 1_450 },
      { noticedMs: 250, delayMs: 1_000, readyMs: 1_550 },
    ],
    [150, 140, 160],
  );
  assert.deepEqual(rows, [
    ['by hand', '3', '150', '', '150', '160', '', ''],
    ['after `kill -9`', '3', '1550', '1000', '550', '600', '250', '400'],
  ]);
});

test('an adoption has its goals', () => {
  const adoptions = [{ adoptedMs: 900, firstTokenMs: 2_100, undisturbedMs: 20 }];
  assert.deepEqual(
    adoptionGoals(adoptions).map(({ value, reach }) => [value, reach]),
    [
      [900, 2_000],
      [2_100, 2_000],
    ],
  );
  assert.deepEqual(
    adoptionTable(adoptions).rows.map((row) => row[2]),
    ['20.0', '900', '2100'],
  );
});
