/** What operators find in Temporal. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { textOf, type JsonPayload } from '../support/history-payloads.js';
import type { DroverWorld } from '../support/world.js';

Then(
  'Temporal has the workflow {string}, started before the answer came',
  async function (this: DroverWorld, workflowId: string) {
    const { startTime } = await this.operator.temporal.describe(this.fill(workflowId));
    assert.ok(startTime.getTime() <= this.http.lookAt().cameAt, startTime.toISOString());
  },
);

Then(
  'a search in Temporal finds the workflow of {string} by:',
  async function (this: DroverWorld, name: string, table: DataTable) {
    for (const [attribute, value] of Object.entries(table.rowsHash())) {
      await this.operator.searchUntilFound(
        `${attribute} = "${this.fill(value)}"`,
        `task:${this.tasks.of(name).id}`,
      );
    }
  },
);

Then(
  'a search in Temporal for CorrelationId {string} finds the workflow of {string} alone',
  async function (this: DroverWorld, id: string, name: string) {
    const found = await this.operator.searchUntilFound(
      `CorrelationId = "${id}"`,
      `task:${this.tasks.of(name).id}`,
    );
    assert.deepEqual(found, [`task:${this.tasks.of(name).id}`]);
  },
);

Then(
  'its workflow type is {string}, on the task queue {string}',
  async function (this: DroverWorld, type: string, queue: string) {
    const { type: told, taskQueue } = await this.operator.temporal.describeTask(this.tasks.last.id);
    assert.deepEqual([told, taskQueue], [type, queue]);
  },
);

Then(
  "its search attributes give its tokens, its first token's time and its end as its state does",
  async function (this: DroverWorld) {
    const { tokens_out, first_token_at_ms, ended_at_ms } = await this.tasks.status(this.tasks.last.name);
    assert.deepEqual(await this.operator.temporal.milestonesOf(this.tasks.last.id), {
      tokens_out,
      first_token_at_ms,
      ended_at_ms,
    });
  },
);

Then(
  'the history of {string} is sealed: no event holds {string} or {string}',
  async function (this: DroverWorld, name: string, one: string, other: string) {
    const text = await this.operator.temporal.legibleTextOfTask(this.tasks.of(name).id);
    assert.deepEqual([text.includes(one), text.includes(other)], [false, false]);
    assert.equal(await this.operator.temporal.inputEncoding(this.tasks.of(name).id), 'binary/encrypted');
  },
);

Then('the memo of {string} is sealed too', async function (this: DroverWorld, name: string) {
  assert.deepEqual(
    [...(await this.operator.temporal.memoEncodings(this.tasks.of(name).id))],
    ['binary/encrypted'],
  );
});

When(
  'the input of {string} is sent from its history to the codec endpoint',
  async function (this: DroverWorld, name: string) {
    await this.operator.decodeInput(this.tasks.of(name).id, this.stack.codecSecret);
  },
);

When(
  'the input of {string} is sent from its history to a codec endpoint with a guessed path',
  async function (this: DroverWorld, name: string) {
    await this.operator.decodeInput(this.tasks.of(name).id, 'guessed-guessed-guessed-guessed');
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
    assert.deepEqual(await this.operator.temporal.endOfTask(this.tasks.of(name).id), {
      status: 'FAILED',
      type,
    });
  },
);

Then(
  'the workflow of {string} has ended as {string}',
  async function (this: DroverWorld, name: string, status: string) {
    assert.equal((await this.operator.temporal.endOfTask(this.tasks.of(name).id)).status, status);
  },
);

Then(
  'the failure in the history of {string} is sealed: its message is {string} and no event holds {string}',
  async function (this: DroverWorld, name: string, message: string, words: string) {
    const failure = await this.operator.temporal.failureOf(`task:${this.tasks.of(name).id}`);
    const text = await this.operator.temporal.legibleTextOfTask(this.tasks.of(name).id);
    assert.deepEqual([failure.message, text.includes(words)], [message, false]);
  },
);

Then(
  'the history of {string} has fewer than {int} events, and no token in any',
  async function (this: DroverWorld, name: string, most: number) {
    const events = await this.operator.temporal.historyOfTask(this.tasks.of(name).id);
    assert.ok(events.length < most, `${events.length} events`);
    const opened = await this.operator.temporal.openedTextOfTask(this.tasks.of(name).id);
    const text = (await this.readers.readToEnd(name)).text;
    assert.ok(text.length > 20 && !opened.includes(text.slice(0, 20)), `"${text}" stands in the history`);
  },
);

Then(
  'its memo, opened, gives the admission, the node, the pool, the first token, the end and the tokens',
  async function (this: DroverWorld) {
    const { id, name } = this.tasks.last;
    await this.operator.temporal.waitForRecordedState(id, 'completed');
    const { node_id, pool_id, admission, outcome } = await this.operator.temporal.memoOf(id);
    const { first_token_at_ms, ended_at_ms, tokens_out, ...status } = await this.tasks.status(name);
    assert.deepEqual([node_id, pool_id, admission], [this.stack.nodeId, 'default', status.admission]);
    assert.deepEqual(
      [outcome?.state, outcome?.first_token_at_ms, outcome?.ended_at_ms, outcome?.tokens_out],
      ['completed', first_token_at_ms, ended_at_ms, tokens_out],
    );
  },
);

Then(
  'the memo of {string}, opened, holds the correlation id {string}',
  async function (this: DroverWorld, name: string, correlationId: string) {
    const { request } = await this.operator.temporal.memoOf(this.tasks.of(name).id);
    assert.equal(request.correlation_id, correlationId);
  },
);

Given(
  'somebody has started a workflow of another kind under the id of the task {string}',
  async function (this: DroverWorld, name: string) {
    this.tasks.name(name, await this.operator.temporal.startForeignTask());
  },
);

Then(
  'the record of {string} in Temporal says {string}',
  async function (this: DroverWorld, name: string, state: string) {
    await this.operator.temporal.waitForRecordedState(this.tasks.of(name).id, state);
  },
);

Then(
  'the workflow of {string} comes to wait for the activity {string} on the task queue {string}',
  async function (this: DroverWorld, name: string, activity: string, queue: string) {
    const pending = await this.operator.temporal.scheduledActivityOfTask(this.tasks.of(name).id);
    assert.deepEqual(pending, { activity, queue: this.fill(queue) });
  },
);
