import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInfeasible, measured, predictedStartMs } from './estimate.js';

const run = { tokensOut: 100, decodeMs: 1000, serviceMs: 1100, maxTokens: 100 };

test('B-DP-020: without data a place in the queue is worth 100 ms', () => {
  for (const position of [0, 1, 3, 15]) {
    assert.equal(predictedStartMs({}, { position, slotsTotal: 4, slotsFree: 0 }), position * 100);
  }
});

test('B-DP-020: with data the start is the share of the measured pace, and nothing where a slot is free', () => {
  const past = measured({}, run);
  assert.equal(predictedStartMs(past, { position: 0, slotsTotal: 2, slotsFree: 1 }), 0);
  assert.equal(predictedStartMs(past, { position: 0, slotsTotal: 2, slotsFree: 0 }), 550);
  assert.equal(predictedStartMs(past, { position: 3, slotsTotal: 2, slotsFree: 0 }), 2200);
});

test('B-DP-051: a deadline is infeasible by what was measured, and by the queue alone without data', () => {
  const past = measured({}, run);
  const rows = [
    { past, predictedStartMs: 0, tokens: 100, deadlineMs: 999, infeasible: true },
    { past, predictedStartMs: 0, tokens: 100, deadlineMs: 1000, infeasible: false },
    { past, predictedStartMs: 1, tokens: 100, deadlineMs: 1000, infeasible: true },
    { past: {}, predictedStartMs: 0, tokens: 1_000_000, deadlineMs: 1, infeasible: false },
    { past: {}, predictedStartMs: 200, tokens: 1, deadlineMs: 100, infeasible: true },
  ];
  for (const { infeasible, ...row } of rows)
    assert.equal(isInfeasible(row.past, row), infeasible, JSON.stringify(row));
});

test('the averages follow the newest runs, and a run without tokens teaches nothing', () => {
  const past = measured({}, run);
  assert.equal(past.tokensPerSecond, 100);
  assert.equal(measured(past, { ...run, tokensOut: 0, decodeMs: 0, serviceMs: 5 }), past);
  const faster = measured(past, { ...run, tokensOut: 200, serviceMs: 1000 });
  assert.equal(faster.tokensPerSecond, 120);
  assert.equal(faster.tokensOut, 120);
});
