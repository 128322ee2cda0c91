/** Hours of supervision, on the time-skipping server. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { supervise, supervised } from '../support/timed-supervision.js';
import type { DroverWorld } from '../support/world.js';

const SECOND = 1_000;
const UNITS: Readonly<Record<string, number>> = { second: SECOND, minute: 60 * SECOND, hour: 3_600 * SECOND };

const crashes = (count: number, ms = SECOND) => Array.from({ length: count }, () => ({ ms }));

Given(
  'a supervised pool whose engine crashes {int} times, each time a second after its start',
  async function (this: DroverWorld, count: number) {
    await supervise(this, crashes(count));
  },
);

Given(
  'a supervised pool that no circuit holds, and whose engine crashes {int} times',
  async function (this: DroverWorld, count: number) {
    await supervise(this, crashes(count), { held: false });
  },
);

Given(
  'a supervised pool whose engine crashes {int} times, and once more after {int} seconds of service',
  async function (this: DroverWorld, count: number, seconds: number) {
    await supervise(this, [...crashes(count), { ms: seconds * SECOND }]);
  },
);

When(
  /^(\d+) (second|minute|hour)s? pass(?:es)?$/,
  async function (this: DroverWorld, count: string, unit: string) {
    await supervised(this).pass(Number(count) * (UNITS[unit] ?? NaN));
  },
);

When('the operator resets the circuit of the pool', async function (this: DroverWorld) {
  await supervised(this).resetCircuit();
});

Then(
  'the circuit is {string} after {int} crash(es) in a row',
  async function (this: DroverWorld, state: string, count: number) {
    await supervised(this).until(
      ({ circuits, attempts }) => circuits.general.state === state && attempts === count,
    );
  },
);

Then('the engine serves, after {int} crash(es) in a row', async function (this: DroverWorld, count: number) {
  await supervised(this).until(({ step, attempts }) => step === 'watch' && attempts === count);
});

Then('the engine serves, and no restart counts any more', async function (this: DroverWorld) {
  await supervised(this).until(({ step, restart_count }) => step === 'watch' && restart_count === 0);
});

Then('the engine was started again {int} times', function (this: DroverWorld, count: number) {
  assert.equal(supervised(this).restartsAtMs.length, count);
});

Then(
  'the engine was started again {int} times, those after the first {int} at least {int} minutes apart',
  function (this: DroverWorld, count: number, first: number, minutes: number) {
    const { restartsAtMs } = supervised(this);
    assert.equal(restartsAtMs.length, count);
    const apart = restartsAtMs
      .slice(first)
      .map((atMs, index) => atMs - (restartsAtMs[first - 1 + index] ?? 0));
    assert.ok(Math.min(...apart) >= minutes * 60 * SECOND, apart.join());
  },
);

Then('its restarts waited for {string} seconds', function (this: DroverWorld, waits: string) {
  assert.equal(supervised(this).waitsSeconds.join(', '), waits);
});
