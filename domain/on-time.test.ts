import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Draw } from '../testing/faults/draw.js';
import { Forecasts, onTimeProbability, remember, tenthOf, type PastRun } from './on-time.js';

const steady: PastRun[] = [{ msPerToken: 10, shareOut: 1 }];
const fresh = { tokensOut: 0, maxTokens: 100, timed: { tokens: 0, ms: 0 } };

test('B-DP-127: the probability falls with the remaining time and rises with the pace, between 0 and 1', () => {
  const within = (remainingMs: number) => onTimeProbability(steady, { ...fresh, remainingMs });
  assert.ok(within(10_000) > 0.99 && within(10_000) <= 1);
  assert.equal(within(1000), 0.5);
  assert.ok(within(800) > 0 && within(800) < 0.25);
  assert.equal(within(0), 0);
  const faster = onTimeProbability([{ msPerToken: 5, shareOut: 1 }], { ...fresh, remainingMs: 800 });
  assert.ok(faster > 0.9);
});

test('B-DP-127: a run that is slower than those before it is believed more with each token', () => {
  const after = (tokens: number) =>
    onTimeProbability(steady, {
      ...{ remainingMs: 1500, tokensOut: 0, maxTokens: 100 },
      timed: { tokens, ms: tokens * 20 },
    });
  assert.ok(after(0) > 0.9);
  assert.ok(after(4) < after(1) && after(16) < after(4));
  assert.ok(after(200) < 0.25);
});

test('B-DP-127: runs that stop early make an early end likely, until this one has gone on for longer', () => {
  const brief = Array.from({ length: 10 }, () => ({ msPerToken: 10, shareOut: 0.1 }));
  const run = { ...fresh, remainingMs: 500 };
  assert.ok(onTimeProbability(brief, run) > 0.9);
  assert.ok(onTimeProbability(brief, { ...run, tokensOut: 30 }) < 0.2);
  assert.ok(
    onTimeProbability(brief, { ...run, expectedTokens: 90 }) < 0.2,
    'what the client expects goes before',
  );
});

test('B-DP-127: before anything was measured a long deadline is likely met, and an absurd one is not', () => {
  assert.ok(onTimeProbability([], { ...fresh, remainingMs: 60_000 }) > 0.95);
  assert.ok(onTimeProbability([], { ...fresh, remainingMs: 100 }) < 0.05);
});

test('what is remembered is bounded, and a run without tokens teaches nothing', () => {
  let past: readonly PastRun[] = [];
  for (let i = 1; i <= 100; i++) past = remember(past, { tokensOut: 10, decodeMs: 10 * i, maxTokens: 20 });
  assert.equal(past.length, 64);
  assert.deepEqual(past.at(-1), { msPerToken: 100, shareOut: 0.5 });
  assert.equal(remember(past, { tokensOut: 0, decodeMs: 5, maxTokens: 20 }), past);
});

test('a tenth is named by its upper bound', () => {
  assert.deepEqual([0, 0.05, 0.1, 0.55, 0.999, 1].map(tenthOf), ['0.1', '0.1', '0.2', '0.6', '1.0', '1.0']);
});

test('B-DP-127: over a seeded mixed load the forecasts beat whoever says the same of every run', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { ours, constant } = scores(seed, 600);
    assert.ok(ours < constant * 0.9, `seed ${seed}: ${ours.toFixed(3)} against ${constant.toFixed(3)}`);
  }
});

/** Brier scores of runs of mixed length, pace and deadline: the forecasts', and those of the constant that fits them best. */
function scores(seed: number, runs: number): { ours: number; constant: number } {
  const draw = new Draw(seed);
  const forecasts = new Forecasts();
  let past: readonly PastRun[] = [];
  const ends: boolean[] = [];
  const errors: number[] = [];
  for (let i = 0; i < runs; i++) {
    const maxTokens = draw.pick([16, 64, 200, 1000]);
    const tokensOut = Math.max(1, Math.round(maxTokens * (draw.chance(0.4) ? 1 : draw.next())));
    // The load of the moment makes the pace; it lasts for some runs.
    const msPerToken = (i % 40 < 20 ? 10 : 25) * (0.8 + 0.4 * draw.next());
    const deadlineMs = maxTokens * 15 * (0.2 + 1.5 * draw.next());
    const probability = onTimeProbability(past, {
      ...{ remainingMs: deadlineMs, tokensOut: 0, maxTokens },
      timed: { tokens: 0, ms: 0 },
    });
    const inTime = tokensOut * msPerToken <= deadlineMs;
    ends.push(inTime);
    errors.push((probability - Number(inTime)) ** 2);
    forecasts.judge(probability, inTime);
    past = remember(past, { tokensOut, decodeMs: tokensOut * msPerToken, maxTokens });
  }
  const share = ends.filter(Boolean).length / runs;
  return { ours: errors.reduce((sum, error) => sum + error, 0) / runs, constant: share * (1 - share) };
}

test('the score of forecasts is the mean of their squared errors, of the last two hundred', () => {
  const forecasts = new Forecasts();
  assert.equal(forecasts.judge(1, true), 0);
  assert.equal(forecasts.judge(1, false), 0.5);
  for (let i = 0; i < 199; i++) forecasts.judge(0.5, true);
  assert.equal(forecasts.judge(0.5, false), 0.25);
});
