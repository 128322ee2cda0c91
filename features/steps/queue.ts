/** Tasks that wait, and the places that they have. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import type { DroverWorld } from '../support/world.js';

Given('{int} tasks wait', async function (this: DroverWorld, count: number) {
  for (const name of waitingNames(count)) await this.tasks.admit(name);
  await this.tasks.shouldWaitAt(waitingNames(count), 0);
});

Given(
  '{int} tasks wait, {int} of them batch',
  async function (this: DroverWorld, count: number, batch: number) {
    for (const [index, name] of waitingNames(count).entries()) {
      await this.tasks.admit(name, { priority: index < count - batch ? 'interactive' : 'batch' });
    }
    await this.tasks.shouldWaitAt(waitingNames(count), 0);
  },
);

Then(
  'the {int} tasks still wait at the positions 0 to {int}',
  async function (this: DroverWorld, count: number, _last: number) {
    await this.tasks.shouldWaitAt(waitingNames(count), 0);
  },
);

Then(
  'the tasks {names} wait at the positions 0 to {int}',
  async function (this: DroverWorld, names: string[], _last: number) {
    await this.tasks.shouldWaitAt(names, 0);
  },
);

Then('{string} waits at position {int}', async function (this: DroverWorld, name: string, position: number) {
  await this.tasks.shouldWaitAt([name], position);
});

When('the task at position {int} is cancelled', async function (this: DroverWorld, position: number) {
  await this.cancel(`waiting-${position}`);
});

Then(
  'the task that was at position {int} waits at position {int}',
  async function (this: DroverWorld, before: number, now: number) {
    await this.tasks.shouldWaitAt([`waiting-${before}`], now);
  },
);

const waitingNames = (count: number) => Array.from({ length: count }, (_, index) => `waiting-${index}`);

Then(
  'the queue holds {int} interactive and {int} batch task(s)',
  async function (this: DroverWorld, interactive: number, batch: number) {
    const depth = (priority: string) =>
      this.operator.meter.nodeGauge('queue_depth', { pool_id: 'default', priority });
    assert.deepEqual([await depth('interactive'), await depth('batch')], [interactive, batch]);
  },
);
