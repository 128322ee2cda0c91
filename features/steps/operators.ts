/** What operators see: Temporal, metrics, logs. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { textOf, type JsonPayload } from '../support/history-payloads.js';
import { logFilesHolding, logLine, logLines } from '../support/logs.js';
import { parseMetrics, undeclared } from '../support/metrics-text.js';
import { theRun } from '../support/run.js';
import type { DroverWorld } from '../support/world.js';

// Metrics

Given('the counters are read', async function (this: DroverWorld) {
  await this.meter.remember();
});

Then('{string} has risen by {int}', async function (this: DroverWorld, name: string, by: number) {
  assert.equal(await this.meter.riseOf(name), by);
});

Then(
  '{string} has risen by {int} for:',
  async function (this: DroverWorld, name: string, by: number, table: DataTable) {
    assert.equal(await this.meter.riseOf(name, this.labelsOf(table)), by);
  },
);

Then(
  '"tokens_out_total" and "tokens_in_total" have risen by what the "end" of {string} says',
  async function (this: DroverWorld, name: string) {
    const { data } = await this.reader(name).waitForFrame('end');
    const rises = [await this.meter.riseOf('tokens_out_total'), await this.meter.riseOf('tokens_in_total')];
    assert.deepEqual(rises, [data['tokens_out'], data['tokens_in']]);
  },
);

Then(
  'each of these has risen in one process only: {names}',
  async function (this: DroverWorld, names: string[]) {
    for (const name of names) {
      const { api, node } = await this.meter.risesOf(name);
      assert.deepEqual([name, [api, node].filter((rise) => rise > 0).length], [name, 1]);
    }
  },
);

Then('the answer is Prometheus text of the version 0.0.4', function (this: DroverWorld) {
  assert.match(this.http.lookAt().headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4(;|$)/);
  assert.ok(parseMetrics(this.http.lookAt().text).types.size > 0);
});

Then('each of these is announced with TYPE and HELP:', function (this: DroverWorld, table: DataTable) {
  const { types, helped } = parseMetrics(this.http.lookAt().text);
  for (const [type, names] of Object.entries(table.rowsHash())) {
    for (const name of names.split(' '))
      assert.deepEqual([name, types.get(name), helped.has(name)], [name, type, true]);
  }
});

Then('every series belongs to an announced metric', function (this: DroverWorld) {
  assert.deepEqual(undeclared(parseMetrics(this.http.lookAt().text)), []);
});

When('the metrics are read twice with nothing in between', async function (this: DroverWorld) {
  this.readings = [await this.meter.read(), await this.meter.read()];
});

Then("the contract's metrics are the same both times", function (this: DroverWorld) {
  const [first, second] = this.readings.map(({ api, node }) => [api.series, node.series]);
  assert.deepEqual(second, first);
});

// Temporal

Then(
  'Temporal has the workflow {string}, started before the answer came',
  async function (this: DroverWorld, workflowId: string) {
    const { startTime } = await this.temporal.describe(this.fill(workflowId));
    assert.ok(startTime.getTime() <= this.http.lookAt().cameAt, startTime.toISOString());
  },
);

Then(
  'a search in Temporal finds the workflow of {string} by:',
  async function (this: DroverWorld, name: string, table: DataTable) {
    for (const [attribute, value] of Object.entries(table.rowsHash())) {
      await this.searchUntilFound(`${attribute} = "${this.fill(value)}"`, name);
    }
  },
);

Then(
  'a search in Temporal for CorrelationId {string} finds the workflow of {string} alone',
  async function (this: DroverWorld, id: string, name: string) {
    const found = await this.searchUntilFound(`CorrelationId = "${id}"`, name);
    assert.deepEqual(found, [`task:${this.idOf(name)}`]);
  },
);

Then(
  'its workflow type is {string}, on the task queue {string}',
  async function (this: DroverWorld, type: string, queue: string) {
    const { type: told, taskQueue } = await this.temporal.describeTask(this.lastTask.id);
    assert.deepEqual([told, taskQueue], [type, queue]);
  },
);

Then(
  "its search attributes give its tokens, its first token's time and its end as its state does",
  async function (this: DroverWorld) {
    const { tokens_out, first_token_at_ms, ended_at_ms } = await this.status(this.lastTask.name);
    assert.deepEqual(await this.temporal.milestonesOf(this.lastTask.id), {
      tokens_out,
      first_token_at_ms,
      ended_at_ms,
    });
  },
);

Then(
  'the history of {string} is sealed: no event holds {string} or {string}',
  async function (this: DroverWorld, name: string, one: string, other: string) {
    const text = await this.temporal.legibleTextOfTask(this.idOf(name));
    assert.deepEqual([text.includes(one), text.includes(other)], [false, false]);
    assert.equal(await this.temporal.inputEncoding(this.idOf(name)), 'binary/encrypted');
  },
);

Then('the memo of {string} is sealed too', async function (this: DroverWorld, name: string) {
  assert.deepEqual([...(await this.temporal.memoEncodings(this.idOf(name)))], ['binary/encrypted']);
});

When(
  'the input of {string} is sent from its history to the codec endpoint',
  async function (this: DroverWorld, name: string) {
    await this.decodeInput(name, this.stack.codecSecret);
  },
);

When(
  'the input of {string} is sent from its history to a codec endpoint with a guessed path',
  async function (this: DroverWorld, name: string) {
    await this.decodeInput(name, 'guessed-guessed-guessed-guessed');
  },
);

Then('the answer is the request with {string}, in plain JSON', function (this: DroverWorld, words: string) {
  assert.equal(this.http.lookAt().status, 200);
  const { payloads } = this.http.lookAt().json as { payloads: JsonPayload[] };
  const [input] = payloads.map((payload) => JSON.parse(textOf(payload)) as unknown);
  assert.ok(JSON.stringify(input).includes(words));
});

Then(
  'the workflow of {string} has failed with the type {string}',
  async function (this: DroverWorld, name: string, type: string) {
    assert.deepEqual(await this.temporal.endOfTask(this.idOf(name)), { status: 'FAILED', type });
  },
);

Then(
  'the workflow of {string} has ended as {string}',
  async function (this: DroverWorld, name: string, status: string) {
    assert.equal((await this.temporal.endOfTask(this.idOf(name))).status, status);
  },
);

Then(
  'the failure in the history of {string} is sealed: its message is {string} and no event holds {string}',
  async function (this: DroverWorld, name: string, message: string, words: string) {
    const failure = await this.temporal.failureOfTask(this.idOf(name));
    const text = await this.temporal.legibleTextOfTask(this.idOf(name));
    assert.deepEqual([failure.message, text.includes(words)], [message, false]);
  },
);

Then(
  'the history of {string} has fewer than {int} events, and no token in any',
  async function (this: DroverWorld, name: string, most: number) {
    const events = await this.temporal.historyOfTask(this.idOf(name));
    assert.ok(events.length < most, `${events.length} events`);
    const opened = await this.temporal.openedTextOfTask(this.idOf(name));
    const text = (await this.readToEnd(name)).text;
    assert.ok(text.length > 20 && !opened.includes(text.slice(0, 20)), `"${text}" stands in the history`);
  },
);

Then(
  'its memo, opened, gives the admission, the node, the pool and the outcome',
  async function (this: DroverWorld) {
    const memo = await this.temporal.memoOf(this.lastTask.id);
    assert.deepEqual(
      [memo.node_id, memo.pool_id, memo.outcome?.state],
      [this.stack.nodeId, 'default', 'completed'],
    );
    assert.equal(memo.admission.queue_position, 0);
  },
);

Then(
  'the record of {string} in Temporal says {string}',
  async function (this: DroverWorld, name: string, state: string) {
    await this.temporal.waitForRecordedState(this.idOf(name), state);
  },
);

Then(
  'the workflow of {string} comes to wait for the activity {string} on the task queue {string}',
  async function (this: DroverWorld, name: string, activity: string, queue: string) {
    const pending = await this.temporal.scheduledActivityOfTask(this.idOf(name));
    assert.deepEqual(pending, { activity, queue: this.fill(queue) });
  },
);

// Logs

Then(
  'the API has logged one admission of {string}, with the correlation id {string}, at position {int}, to start in {int} ms',
  async function (
    this: DroverWorld,
    name: string,
    correlation_id: string,
    queue_position: number,
    predicted_start_ms: number,
  ) {
    const line = await logLine(this.processOf('api'), { event: 'admitted', task_id: this.idOf(name) });
    const { correlation_id: id, queue_position: at, predicted_start_ms: ms } = line;
    assert.deepEqual([id, at, ms], [correlation_id, queue_position, predicted_start_ms]);
    assert.equal(logLines(this.processOf('api'), { event: 'admitted', task_id: this.idOf(name) }).length, 1);
  },
);

Then(
  'the API has said in words at which place {string} was admitted',
  async function (this: DroverWorld, name: string) {
    const { actor, action, human } = await logLine(this.processOf('api'), {
      event: 'admitted',
      task_id: this.idOf(name),
    });
    assert.deepEqual([actor, action], ['orchestratord', 'admission']);
    assert.match(String(human), /first in the queue.*0 ms/);
  },
);

Then('the cancel of {string} is logged with its id', async function (this: DroverWorld, name: string) {
  const line = await logLine(this.processOf('api'), { event: 'cancel', task_id: this.idOf(name) });
  assert.equal(line['reason'], 'client');
});

Then('the cancel of {string} is told in words', async function (this: DroverWorld, name: string) {
  const { action, human } = await logLine(this.processOf('api'), {
    event: 'cancel',
    task_id: this.idOf(name),
  });
  assert.deepEqual([action, /^cancels the task/.test(String(human))], ['cancel', true]);
});

Then(
  'the node has logged the end of {string} with its engine, its pool and its tokens',
  async function (this: DroverWorld, name: string) {
    const { data } = await this.reader(name).waitForFrame('end');
    const line = await logLine(this.processOf('node'), { event: 'run_ended', task_id: this.idOf(name) });
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
      await logLine(this.processOf(owner), { task_id: this.idOf(name), correlation_id });
    }
  },
);

Then(
  'the API has logged {string} at the level {string} for the identity {string}, with the path {string}',
  async function (this: DroverWorld, event: string, level: string, identity: string, path: string) {
    const line = await logLine(this.processOf('api'), { event, identity });
    assert.deepEqual([line['level'], line['path']], [level, path]);
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
