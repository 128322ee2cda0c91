import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInfeasible, measured, onTimeProbability, predictedStartMs } from './estimate.js';

const run = { tokensOut: 100, decodeMs: 1000, serviceMs: 1100 };

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
  assert.equal(measured(past, { tokensOut: 0, decodeMs: 0, serviceMs: 5 }), past);
  const faster = measured(past, { tokensOut: 200, decodeMs: 1000, serviceMs: 1000 });
  assert.equal(faster.tokensPerSecond, 120);
  assert.equal(faster.tokensOut, 120);
});

test('B-DP-127: the probability falls with the remaining time and rises with the pace, between 0 and 1', () => {
  const likely = onTimeProbability(10_000, 100, 100);
  const even = onTimeProbability(1000, 100, 100);
  const unlikely = onTimeProbability(500, 100, 100);
  assert.ok(likely > 0.99 && likely <= 1);
  assert.equal(even, 0.5);
  assert.ok(unlikely > 0 && unlikely < 0.25);
  assert.equal(onTimeProbability(0, 1, 100), 0);
  assert.ok(onTimeProbability(500, 100, 400) > even);
});
