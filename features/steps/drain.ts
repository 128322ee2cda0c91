/** Pools are drained. */
import { Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { isAlive } from '../../testing/processes.js';
import { logLine } from '../support/logs.js';
import type { DroverWorld } from '../support/world.js';

/** A drain that ends by its deadline ends long before. */
const DRAIN_WAIT_MS = 60_000;

async function drain(world: DroverWorld, pool: string, deadline_ms: number, wait_ms: number): Promise<void> {
  await world.http.send('POST', `/v2/pools/${pool}/drain`, { body: { deadline_ms, wait_ms } });
}

When(
  'the pool is drained with a deadline of {int} ms',
  async function (this: DroverWorld, deadlineMs: number) {
    await drain(this, 'default', deadlineMs, 0);
  },
);

When(
  'the pool {string} is drained with a deadline of {int} ms',
  async function (this: DroverWorld, pool: string, deadlineMs: number) {
    await drain(this, pool, deadlineMs, 0);
  },
);

When('the pool {string} has been drained', async function (this: DroverWorld, pool: string) {
  await drain(this, pool, 0, DRAIN_WAIT_MS);
});

When(
  'the pool is drained with a deadline of {int} ms, and its end is waited for',
  async function (this: DroverWorld, deadlineMs: number) {
    await drain(this, 'default', deadlineMs, DRAIN_WAIT_MS);
  },
);

When('an operator cancels the workflow {string}', async function (this: DroverWorld, workflowId: string) {
  await this.operator.temporal.cancel(workflowId);
});

Then('the pool comes to be {string}', async function (this: DroverWorld, state: string) {
  await this.stack.pool.waitForState(state);
});

Then(
  'the pool comes to be {string}, live, not ready, with {int} lease(s)',
  async function (this: DroverWorld, state: string, leases: number) {
    await this.stack.pool.waitForState(state);
    await assertLive(this, state, leases);
  },
);

Then(
  'the pool is {string}, live, not ready, with {int} lease(s)',
  async function (this: DroverWorld, state: string, leases: number) {
    await assertLive(this, state, leases);
  },
);

async function assertLive({ stack }: DroverWorld, wanted: string, leases: number): Promise<void> {
  const { state, live, ready, active_leases } = await stack.pool.status();
  assert.deepEqual([state, live, ready, active_leases], [wanted, true, false, leases]);
}

Then('the engine is gone: no process, no pid file, no handoff', async function (this: DroverWorld) {
  await assertGone(this);
});

Then(
  'the pool is {string}, and the engine is gone: no process, no pid file, no handoff',
  async function (this: DroverWorld, wanted: string) {
    const { state, live, ready, draining } = await this.stack.pool.status();
    assert.deepEqual([state, live, ready, draining], [wanted, false, false, false]);
    await assertGone(this);
  },
);

async function assertGone({ stack }: DroverWorld): Promise<void> {
  assert.ok(stack.firstEnginePid !== undefined && !isAlive(stack.firstEnginePid), 'the engine lives');
  assert.deepEqual(await stack.pool.left(), []);
}

Then(
  'the node has warned that {int} task(s) run(s) in the pool that is drained',
  async function (this: DroverWorld, leases: number) {
    const { level, active_leases } = await logLine(this.stack.mustNode(), { event: 'pool_draining' });
    assert.deepEqual([level, active_leases], ['warn', leases]);
  },
);

Then(
  'the history of {string} comes to the activity {string}',
  async function (this: DroverWorld, workflowId: string, name: string) {
    await this.operator.temporal.waitForActivity(workflowId, name);
  },
);

Then(
  'the history of {string} has the activities {names}',
  async function (this: DroverWorld, workflowId: string, names: string[]) {
    assert.deepEqual(await this.operator.temporal.activitiesOf(workflowId), names);
  },
);
