/** A second node on a host of its own, whose cables are cut and mended. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { eventually } from '../../testing/changes.js';
import type { NodeCable } from '../support/node-host.js';
import type { DroverWorld } from '../support/world.js';

/** A missed heartbeat, 30 s in which nobody polls for the node, and a busy machine. */
const MOVE_LIMIT_MS = 200_000;

const CABLES: Readonly<Record<string, readonly NodeCable[]>> = {
  Temporal: ['Temporal'],
  'the API': ['the API'],
  everything: ['Temporal', 'the API'],
};

const cablesOf = (what: string): readonly NodeCable[] => CABLES[what] ?? assert.fail(`no cable to ${what}`);

Given('a fresh installation with a far node, which has the larger pool', async function (this: DroverWorld) {
  await this.useFreshStack({ model: 'slow', slots: 2, nodePools: 'default', farNode: 'host' });
});

When('the far node loses {}', async function (this: DroverWorld, what: string) {
  await this.breakStack().mustFarNode().cut(cablesOf(what));
});

When('the far node has {} again', async function (this: DroverWorld, what: string) {
  await this.stack.mustFarNode().mend(cablesOf(what));
});

When('it stays so for {int} s', { timeout: 60_000 }, async function (seconds: number) {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
});

Then(
  'sooner or later the stream of {string} ends with {string}',
  { timeout: MOVE_LIMIT_MS + 10_000 },
  async function (this: DroverWorld, name: string, event: string) {
    const last = await this.readers.of(name).waitForClose(MOVE_LIMIT_MS);
    assert.equal(last?.event, event, last?.raw);
  },
);

Then('{string} is on the {word} node', async function (this: DroverWorld, name: string, which: string) {
  const wanted = which === 'far' ? this.stack.mustFarNode().id : this.stack.nodeId;
  const { id } = this.tasks.of(name);
  const answer = await this.client.request('GET', `/v2/tasks/${id}`);
  assert.equal((answer.json as { node_id: string }).node_id, wanted, answer.text);
});

Then(
  'sooner or later {string} is completed on the near node',
  { timeout: MOVE_LIMIT_MS + 10_000 },
  async function (this: DroverWorld, name: string) {
    const { id } = this.tasks.of(name);
    const status = await eventually(
      () => `the task ${id}`,
      async () => {
        const { json } = await this.client.request('GET', `/v2/tasks/${id}`);
        const { state, node_id } = json as { state: string; node_id: string };
        return state === 'completed' ? { node_id } : undefined;
      },
      MOVE_LIMIT_MS,
    );
    assert.equal(status.node_id, this.stack.nodeId);
  },
);

Then('the far node has stopped {string}, and says so', async function (this: DroverWorld, name: string) {
  const { id } = this.tasks.of(name);
  const { program } = this.stack.mustFarNode();
  await program?.waitForLog(
    `the event "run_held" of ${id}`,
    ({ event, task_id }) => event === 'run_held' && task_id === id,
  );
});

Then('the far node never goes on with {string}', function (this: DroverWorld, name: string) {
  const { id } = this.tasks.of(name);
  const lines = this.stack.mustFarNode().program?.logLines ?? [];
  const events = lines.filter(({ task_id }) => task_id === id).map(({ event }) => event);
  assert.equal(events.includes('run_taken_up'), false, events.join(' '));
});

Then('the far node takes tasks again', { timeout: 60_000 }, async function (this: DroverWorld) {
  let tries = 0;
  await eventually(
    () => 'a task on the far node',
    async () => {
      const name = `again-${++tries}`;
      await this.tasks.admit(name, { max_tokens: 2 });
      const { id } = this.tasks.of(name);
      const { json } = await this.client.request('GET', `/v2/tasks/${id}`);
      return (json as { node_id: string }).node_id === this.stack.mustFarNode().id ? true : undefined;
    },
    45_000,
  );
});
