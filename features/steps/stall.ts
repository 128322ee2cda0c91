/** Engines stand still. */
import { setTimeout as delay } from 'node:timers/promises';
import { Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { isAlive } from '../../testing/processes.js';
import { logLine } from '../support/logs.js';
import type { DroverWorld } from '../support/world.js';

/** Three polls, 5 s apart, of which each may take 2 s; and a machine that does other work. */
const SILENCE_LIMIT_MS = 90_000;

When('the engine stands still for {int} s', async function (this: DroverWorld, seconds: number) {
  const goOn = await this.breakStack().holdEngine();
  await delay(seconds * 1_000);
  goOn();
});

When('the engine begins to stand still for {int} s', async function (this: DroverWorld, seconds: number) {
  setTimeout(await this.breakStack().holdEngine(), seconds * 1_000).unref();
});

Then('the engine that ran before still serves', async function (this: DroverWorld) {
  const { firstEnginePid, pool } = this.stack;
  assert.deepEqual([await pool.pid(), (await pool.status()).state], [firstEnginePid, 'ready']);
});

Then(
  'the node has logged that the engine missed {int} health polls, and has ended it for that',
  async function (this: DroverWorld, polls: number) {
    const { killedPid } = this.stack;
    const node = this.stack.mustNode();
    const isSilence = ({ event }: Record<string, unknown>) => event === 'engine_silent';
    const { missed_at } = await node.waitForLog('the event "engine_silent"', isSilence, SILENCE_LIMIT_MS);
    assert.equal((missed_at as string[]).length, polls);
    await logLine(node, { event: 'engine_crashed', pool_id: 'default', reason: 'health_check_failure' });
    await this.stack.pool.waitForEngineAfter(killedPid);
    assert.equal(isAlive(killedPid), false);
  },
);
