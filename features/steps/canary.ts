/** A word that must not leave its task. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { eventually } from '../../testing/changes.js';
import type { DroverWorld } from '../support/world.js';

/** Long enough for the heartbeat of a followed run, short enough to wait for. */
const DEADLINE_MS = 6_000;

Given(
  'a task {string} with the prompt {string} whose deadline passes in mid-stream',
  async function (this: DroverWorld, name: string, prompt: string) {
    await this.tasks.admit(name, {
      prompt,
      max_tokens: 3900,
      // Admission must not foresee what the scenario waits for.
      expected_tokens: 10,
      deadline_ms: DEADLINE_MS,
    });
    await this.tasks.waitForState(name, ['executing']);
  },
);

When('its heartbeat stands in Temporal', async function (this: DroverWorld) {
  const { id } = this.tasks.last;
  await eventually(
    () => `a heartbeat of ${id}`,
    async () => (await this.operator.temporal.heartbeatsOf(id)).length > 0 || undefined,
  );
});

Then(
  'neither {string} nor {string} stands in the heartbeat of {string} as Temporal has it',
  async function (this: DroverWorld, asked: string, said: string, name: string) {
    const heartbeats = await this.operator.temporal.heartbeatsOf(this.tasks.of(name).id);
    assert.ok(heartbeats.length > 0);
    for (const text of [asked, said]) assert.ok(!heartbeats.join('\n').includes(text));
  },
);

Then(
  "no metric of API or node holds {string}, nor the stack's own key",
  async function (this: DroverWorld, word: string) {
    const texts = await Promise.all(
      [this.client.url, this.stack.nodeUrl].map(async (url) => (await fetch(`${url}/metrics`)).text()),
    );
    assert.ok(texts.every((text) => text.includes('tasks_canceled_total')));
    for (const secret of [word, this.stack.key]) assert.ok(!texts.join('\n').includes(secret));
  },
);
