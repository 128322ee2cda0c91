/** What the processes have logged, and what they must not. */
import { Then, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { fingerprint } from '../support/answer-checks.js';
import { logFilesHolding, logLine, logLines } from '../support/logs.js';
import type { Owner } from '../support/meter.js';
import { theRun } from '../support/run.js';
import type { DroverWorld } from '../support/world.js';

Then(
  'the API has logged one admission of {string}, with the correlation id {string}, at position {int}, to start in {int} ms',
  async function (
    this: DroverWorld,
    name: string,
    correlation_id: string,
    queue_position: number,
    predicted_start_ms: number,
  ) {
    const line = await logLine(this.operator.processOf('api'), {
      event: 'admitted',
      task_id: this.tasks.of(name).id,
    });
    const { correlation_id: id, queue_position: at, predicted_start_ms: ms } = line;
    assert.deepEqual([id, at, ms], [correlation_id, queue_position, predicted_start_ms]);
    assert.equal(
      logLines(this.operator.processOf('api'), { event: 'admitted', task_id: this.tasks.of(name).id }).length,
      1,
    );
  },
);

Then(
  'the API has said in words at which place {string} was admitted',
  async function (this: DroverWorld, name: string) {
    const { actor, action, human } = await logLine(this.operator.processOf('api'), {
      event: 'admitted',
      task_id: this.tasks.of(name).id,
    });
    assert.deepEqual([actor, action], ['orchestratord', 'admission']);
    assert.match(String(human), /first in the queue.*0 ms/);
  },
);

Then('the cancel of {string} is logged with its id', async function (this: DroverWorld, name: string) {
  const line = await logLine(this.operator.processOf('api'), {
    event: 'cancel',
    task_id: this.tasks.of(name).id,
  });
  assert.equal(line['reason'], 'client');
});

Then('the cancel of {string} is told in words', async function (this: DroverWorld, name: string) {
  const { action, human } = await logLine(this.operator.processOf('api'), {
    event: 'cancel',
    task_id: this.tasks.of(name).id,
  });
  assert.deepEqual([action, /^cancels the task/.test(String(human))], ['cancel', true]);
});

Then(
  'the node has logged the end of {string} with its engine, its pool and its tokens',
  async function (this: DroverWorld, name: string) {
    const { data } = await this.readers.of(name).waitForFrame('end');
    const line = await logLine(this.operator.processOf('node'), {
      event: 'run_ended',
      task_id: this.tasks.of(name).id,
    });
    assert.deepEqual(
      [line['engine'], line['pool_id'], line['tokens_out']],
      ['llamacpp', 'default', data['tokens_out']],
    );
  },
);

Then(
  'the logs of the API and the node have lines about {string} with {string}',
  async function (this: DroverWorld, name: string, correlation_id: string) {
    for (const owner of ['api', 'node'] as const) {
      await logLine(this.operator.processOf(owner), { task_id: this.tasks.of(name).id, correlation_id });
    }
  },
);

Then(
  'each of these has logged with the correlation id {string}:',
  async function (this: DroverWorld, correlation_id: string, table: DataTable) {
    for (const { process, event, beside } of table.hashes()) {
      const line = await logLine(this.operator.processOf(process as Owner | 'control'), {
        event,
        correlation_id,
      });
      for (const field of (beside ?? '').split(', ')) assert.ok(line[field] != null, `${event}: ${field}`);
    }
  },
);

Then(
  'the API has logged {string} at the level {string} for the identity {string}, with the path {string}',
  async function (this: DroverWorld, event: string, level: string, identity: string, path: string) {
    const line = await logLine(this.operator.processOf('api'), { event, identity });
    assert.deepEqual([line['level'], line['path']], [level, path]);
  },
);

Then(
  "the API has logged the admission of {string} for the fingerprint of the stack's own key",
  async function (this: DroverWorld, name: string) {
    const line = await logLine(this.operator.processOf('api'), {
      event: 'admitted',
      task_id: this.tasks.of(name).id,
    });
    assert.equal(line['identity'], `token:${fingerprint(this.stack.key)}`);
  },
);

Then(
  "no log of the stack holds {string}, nor the stack's own key",
  async function (this: DroverWorld, secret: string) {
    assert.deepEqual(
      await logFilesHolding(theRun().folders.logs, this.stack.name, [secret, this.stack.key]),
      [],
    );
  },
);

Then('no log holds what was sent', async function (this: DroverWorld) {
  const texts = ['x'.repeat(129), 'forged'];
  assert.deepEqual(await logFilesHolding(theRun().folders.logs, this.stack.name, texts), []);
});
