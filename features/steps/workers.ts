/** Engines that say themselves that they are up. */
import { Then } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { logLine } from '../support/logs.js';
import type { DroverWorld } from '../support/world.js';

Then('its engine has called back under its own URL before it served', async function (this: DroverWorld) {
  const node = this.operator.processOf('node');
  const calledBack = await logLine(node, { event: 'worker_up', pool_id: 'default' });
  const ready = await logLine(node, { event: 'pool_ready', pool_id: 'default' });
  assert.equal(calledBack['url'], ready['url']);
  const events = node.logLines.map(({ event }) => event);
  assert.ok(events.indexOf('worker_up') < events.indexOf('pool_ready'), events.join(' '));
});

Then('the progress of its engine has ended with {string}', async function (this: DroverWorld, stage: string) {
  const { worker_id } = await logLine(this.operator.processOf('node'), { event: 'worker_up' });
  const { status, text } = await this.http.send(
    'GET',
    `/v2/workers/progress?worker_id=${encodeURIComponent(String(worker_id))}`,
  );
  assert.equal(status, 200, text);
  assert.equal(text, `data: ${JSON.stringify({ stage })}\n\ndata: [DONE]\n\n`);
});
