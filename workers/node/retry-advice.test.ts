/** Whether those who do as a full queue told them are admitted: on the real scheduler, in a time that passes in steps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measured, type Throughput } from '../../domain/estimate.js';
import { RetryAdvice } from '../../domain/retry-after.js';
import { Draw } from '../../testing/faults/draw.js';
import { Scheduler } from './scheduler.js';

/** What happens at a moment. */
interface Moment {
  atMs: number;
  act: () => void;
}

/** A pool under bursts of clients, each of whom obeys; says how many came again, and how many of those were admitted at once. */
function underBursts(seed: number, advise: (advice: RetryAdvice, nowMs: number, past: Throughput) => number) {
  const draw = new Draw(seed);
  const slots = 3;
  let now = 0;
  let past: Throughput = {};
  const agenda: Moment[] = [];
  const later = (afterMs: number, act: () => void) => agenda.push({ atMs: now + afterMs, act });
  const scheduler = new Scheduler(16, {
    dispatch: (taskId) => {
      const serviceMs = 200 + 1600 * draw.next();
      later(serviceMs, () => {
        past = measured(past, { tokensOut: 10, decodeMs: serviceMs, serviceMs, maxTokens: 10 });
        scheduler.release(taskId);
      });
    },
  });
  scheduler.setSlots('r0', slots);
  const advice = new RetryAdvice();
  let [came, admitted] = [0, 0];
  const ask = (taskId: string, isAgain: boolean) => {
    if (isAgain) came++;
    const position = scheduler.enqueue(taskId, 'interactive');
    if (isAgain && position !== null) admitted++;
    if (position === null) later(advise(advice, now, past), () => ask(taskId, true));
    else scheduler.pump();
  };
  for (let burst = 0; burst < 20; burst++) {
    const size = draw.between(20, 50);
    for (let i = 0; i < size; i++) {
      agenda.push({ atMs: burst * 60_000 + draw.between(0, 2000), act: () => ask(`${burst}-${i}`, false) });
    }
  }
  while (agenda.length > 0) {
    agenda.sort((a, b) => b.atMs - a.atMs);
    const next = agenda.pop();
    if (next === undefined) break;
    now = next.atMs;
    next.act();
  }
  return { came, admitted, waiting: scheduler.depth() };
}

test('B-DP-031: who comes back when he was told to is admitted, over a seeded load of bursts', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const told = underBursts(seed, (advice, now, past) => advice.adviseMs(now, past, 3));
    assert.ok(told.came > 100, `${told.came} came again`);
    assert.ok(told.admitted / told.came > 0.9, `seed ${seed}: ${told.admitted} of ${told.came}`);
    assert.equal(told.waiting, 0);
    const always = underBursts(seed, () => 1000);
    assert.ok(
      always.admitted / always.came < 0.6,
      `a second for everybody: ${always.admitted} of ${always.came}`,
    );
  }
});
