/** Two nodes on this machine, and which of them a task went to. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { PRELOAD_WAIT_MS } from '../support/engines.js';
import { logLine } from '../support/logs.js';
import { ENDLESS } from '../support/task-book.js';
import type { DroverWorld } from '../support/world.js';

const TWO_NODES = { slots: 1, model: 'slow', nodePools: 'default', farNode: 'machine' } as const;

Given('two nodes, of which the far one has the larger pool', async function (this: DroverWorld) {
  await this.useStack(TWO_NODES);
});

Given('two nodes of its own, of which the far one has the larger pool', async function (this: DroverWorld) {
  await this.useFreshStack(TWO_NODES);
});

Given(
  'an API that places tasks by {string} and logs every decision',
  async function (this: DroverWorld, strategy: string) {
    await this.stack.startApi({ DROVER_PLACEMENT_STRATEGY: strategy, DROVER_LOG_LEVEL: 'debug' });
  },
);

Given(
  'a task {string} of the session {string} has completed on the pool {string}',
  async function (this: DroverWorld, name: string, session_id: string, pool: string) {
    const placement = { mode: 'pin', pin_pool_id: pool };
    await this.tasks.admit(name, { session_id, placement, max_tokens: 20 });
    await this.tasks.waitForState(name, ['completed']);
  },
);

When(
  'a task {string} of the session {string} is posted',
  async function (this: DroverWorld, name: string, session_id: string) {
    await this.tasks.admit(name, { session_id });
  },
);

When('the tasks {names} are posted one after the other', async function (this: DroverWorld, names: string[]) {
  for (const name of names) await this.tasks.admit(name);
});

Given(
  'the pool {string} is busy with the endless task {string}',
  async function (this: DroverWorld, pin_pool_id: string, name: string) {
    await this.tasks.occupySlot(name, { placement: { mode: 'pin', pin_pool_id } });
  },
);

Given('{names} wait on the near node', async function (this: DroverWorld, names: string[]) {
  for (const name of names) {
    const { state, node_id } = await this.tasks.status(name);
    assert.deepEqual([state, node_id], ['queued', this.stack.nodeId], name);
  }
});

Given(
  'the pool {string} serves the same model with one slot',
  async function (this: DroverWorld, pool: string) {
    const prepared = { ...(await this.stack.prepareEngine()), pool_id: pool };
    await this.http.send('POST', `/v2/pools/${pool}/preload`, {
      body: { prepared, wait_ms: PRELOAD_WAIT_MS },
    });
  },
);

const CLIENTS = Array.from({ length: 10 }, (_, index) => `client-${index}`);

When(
  'ten clients post a task of {int} tokens each at the same moment',
  async function (this: DroverWorld, max_tokens: number) {
    const client = async (name: string) => {
      await this.tasks.admit(name, { ...ENDLESS, max_tokens });
      await this.readers.open(name);
    };
    await Promise.all(CLIENTS.map(client));
  },
);

Then('some of them have had to wait', function (this: DroverWorld) {
  const positions = CLIENTS.map(
    (name) => (this.tasks.answerOf(name).json as { queue_position: number }).queue_position,
  );
  assert.ok(
    positions.some((position) => position > 0),
    positions.join(' '),
  );
});

Then(
  'each of the ten has got each of its {int} tokens once',
  async function (this: DroverWorld, tokens: number) {
    for (const name of CLIENTS) {
      const reader = this.readers.of(name);
      assert.equal((await reader.waitForClose())?.event, 'end', name);
      assert.deepEqual(
        reader.tokens.map(({ i }) => i),
        Array.from({ length: tokens }, (_, index) => index),
        name,
      );
    }
  },
);

Then(
  'the pools {names} have each run some of them, all ten together',
  async function (this: DroverWorld, pools: string[]) {
    const ran = await Promise.all(CLIENTS.map(async (name) => (await this.tasks.status(name)).pool_id));
    assert.deepEqual([...new Set(ran)].sort(), pools.toSorted());
  },
);

When('the far node ends', async function (this: DroverWorld) {
  await this.breakStack().mustFarNode().program?.stop();
});

Then('two of {names} are on each node', async function (this: DroverWorld, names: string[]) {
  const nodes = await Promise.all(names.map(async (name) => (await this.tasks.status(name)).node_id));
  const { nodeId } = this.stack;
  const count = (id: string) => nodes.filter((node) => node === id).length;
  assert.deepEqual([count(nodeId), count(this.stack.mustFarNode().id)], [2, 2], nodes.join(' '));
});

Then('the history of {string} tells where it went', async function (this: DroverWorld, name: string) {
  const { memo } = await this.operator.temporal.describeTask(this.tasks.of(name).id);
  const { id, pool } = this.stack.mustFarNode();
  assert.deepEqual([memo?.['node_id'], memo?.['pool_id']], [id, pool]);
});

Then('{string} waits on, and was never started', async function (this: DroverWorld, name: string) {
  const { state, node_id, started_at_ms } = await this.tasks.status(name);
  assert.deepEqual([state, node_id, started_at_ms], ['queued', this.stack.nodeId, null]);
});

Then(
  'the API has logged where {string} went, out of {int}, and what broke the tie',
  async function (this: DroverWorld, name: string, candidates: number) {
    const { correlation_id } = this.tasks.answerOf(name).json as { correlation_id?: string };
    const id = correlation_id ?? this.tasks.answerOf(name).headers.get('x-correlation-id');
    const line = await logLine(this.operator.processOf('api'), { event: 'placement', correlation_id: id });
    assert.equal(line['selected_pool_id'], this.stack.mustFarNode().pool);
    assert.equal(line['candidates_considered'], candidates);
    assert.ok(Array.isArray(line['filters_applied']));
    assert.deepEqual(line['tie_breakers_applied'], ['most_free_slots']);
    assert.deepEqual([line['pinned'], line['fallback_used']], [false, false]);
  },
);
