/** Tasks are posted, wait, run and end. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { ENDLESS } from '../support/task-book.js';
import { valueOf } from '../support/values.js';
import type { DroverWorld } from '../support/world.js';

const about = (topic: string) => ({ prompt: `Tell me about the ${topic}.` });
const endless = (overrides: Record<string, unknown> = {}) => ({ ...ENDLESS, ...overrides });
const fieldsOf = (table: DataTable) =>
  Object.fromEntries(Object.entries(table.rowsHash()).map(([field, text]) => [field, valueOf(text)]));

// Posted

When('the task {string} is posted', async function (this: DroverWorld, name: string) {
  await this.tasks.post(name);
});

When('the tasks {names} are posted', async function (this: DroverWorld, names: string[]) {
  for (const name of names) await this.tasks.admit(name);
});

When(
  'the {priority} task {string} is posted',
  async function (this: DroverWorld, priority: string, name: string) {
    await this.tasks.post(name, { priority });
  },
);

When(
  'the task {string} about the {string} is posted',
  async function (this: DroverWorld, name: string, topic: string) {
    await this.tasks.admit(name, about(topic));
  },
);

When(
  'a task {string} with the id {string} about the {string} is posted',
  async function (this: DroverWorld, name: string, task_id: string, topic: string) {
    await this.tasks.admit(name, { task_id, ...about(topic) });
  },
);

When(
  'a task {string} of {int} tokens is posted',
  async function (this: DroverWorld, name: string, tokens: number) {
    await this.tasks.admit(name, endless({ max_tokens: tokens }));
  },
);

When(
  'an endless task {string} of {int} tokens is posted',
  async function (this: DroverWorld, name: string, max_tokens: number) {
    await this.tasks.admit(name, { ...ENDLESS, max_tokens });
  },
);

When('the endless task {string} is posted', async function (this: DroverWorld, name: string) {
  await this.tasks.admit(name, endless());
});

When(
  'the endless task {string} is posted with a deadline of {int} ms',
  async function (this: DroverWorld, name: string, deadline_ms: number) {
    await this.tasks.post(name, endless({ deadline_ms }));
  },
);

When(
  /^the task "([^"]+)" is posted with (\w+): (.*)$/,
  async function (this: DroverWorld, name: string, field: string, value: string) {
    await this.tasks.post(name, { [field]: valueOf(value) });
  },
);

When(
  'the task {string} is posted with the correlation id {string}',
  async function (this: DroverWorld, name: string, id: string) {
    await this.tasks.post(name, {}, { headers: { 'x-correlation-id': id } });
  },
);

When(
  'the task {string} is posted with the correlation id {string} and:',
  async function (this: DroverWorld, name: string, id: string, table: DataTable) {
    await this.tasks.post(name, fieldsOf(table), { headers: { 'x-correlation-id': id } });
  },
);

When(
  'the task {string} is posted without {word} and {word}, and with:',
  async function (this: DroverWorld, name: string, one: string, other: string, table: DataTable) {
    await this.tasks.post(name, { ...fieldsOf(table), [one]: undefined, [other]: undefined });
  },
);

When('two tasks are posted at the same moment', async function (this: DroverWorld) {
  await this.tasks.postTogether(['one', 'other']);
});

When(
  '{int} tasks of {int} tokens are posted at once and complete',
  async function (this: DroverWorld, count: number, max_tokens: number) {
    const names = Array.from({ length: count }, (_, index) => `t${index}`);
    await this.tasks.postTogether(names, endless({ max_tokens }));
    for (const name of names) await this.tasks.waitForState(name, ['completed']);
  },
);

When('the same task {string} is posted again', async function (this: DroverWorld, name: string) {
  await this.tasks.repost(name);
});

When(
  'the task {string} is posted again with another prompt',
  async function (this: DroverWorld, name: string) {
    await this.tasks.repost(name, about('bread'));
  },
);

Given('the task {string} has completed', async function (this: DroverWorld, name: string) {
  await this.tasks.admit(name);
  await this.tasks.waitForState(name, ['completed']);
});

Given(
  'a task {string} with the prompt {string} has completed',
  async function (this: DroverWorld, name: string, prompt: string) {
    await this.tasks.admit(name, { prompt });
    await this.tasks.waitForState(name, ['completed']);
  },
);

When('the task {string} is posted with:', async function (this: DroverWorld, name: string, table: DataTable) {
  await this.tasks.post(name, fieldsOf(table));
});

When(
  'a task {string} is posted that is to end with its last reader',
  async function (this: DroverWorld, name: string) {
    await this.tasks.admit(name, endless({ cancel_on_disconnect: true }));
  },
);

Given(
  'a task {string} with as short a deadline as the pool takes is posted, and waits',
  async function (this: DroverWorld, name: string) {
    // One token is what an engine of any pace gives in time; what earlier tasks took of the slot is the pool's measure.
    let deadline_ms = 2000;
    const post = async () =>
      this.http.lookAt(await this.tasks.post(name, { deadline_ms, max_tokens: 1, expected_tokens: 1 }));
    while ((await post()).status === 400 && deadline_ms < 30_000) deadline_ms *= 2;
    await this.tasks.shouldWaitAt([name], 0);
  },
);

// Admitted

Then(
  '{string} was told to wait twice as long as {string}, which is no multiple of 100 ms for both',
  function (this: DroverWorld, second: string, first: string) {
    const told = (name: string) =>
      Number((this.tasks.answerOf(name).json as Record<string, unknown>)['predicted_start_ms']);
    const [one, two] = [told(first), told(second)];
    assert.ok(one > 0 && Math.abs(two - 2 * one) <= 1, `${one} ms and ${two} ms`);
    assert.ok(one % 100 !== 0 || two % 100 !== 0, `${one} ms and ${two} ms`);
  },
);

Then(
  '{string} was admitted at position {int}, to start in {int} ms',
  function (this: DroverWorld, name: string, queue_position: number, predicted_start_ms: number) {
    const answer = this.tasks.answerOf(name);
    const told = answer.json as Record<string, unknown>;
    assert.deepEqual(
      [told['queue_position'], told['predicted_start_ms']],
      [queue_position, predicted_start_ms],
    );
  },
);

Then('the answer is the one that {string} got first', function (this: DroverWorld, name: string) {
  const { status, json } = this.http.lookAt();
  assert.deepEqual([status, json], [202, this.tasks.answerOf(name).json]);
});

Then(
  'one is accepted and one is refused with {int} {string}',
  function (this: DroverWorld, status: number, code: string) {
    const answers = ['one', 'other'].map((name) => this.http.lookAt(this.tasks.answerOf(name)));
    const verdicts = answers.map((answer) =>
      answer.status === 202 ? '202' : `${answer.status} ${codeOf(answer.json)}`,
    );
    assert.deepEqual(verdicts.sort(), ['202', `${status} ${code}`]);
  },
);

const codeOf = (json: unknown) => (json as { code: string }).code;

// Running and ended

When('the state of {string} is asked for', async function (this: DroverWorld, name: string) {
  await this.http.send('GET', `/v2/tasks/${this.tasks.of(name).id}`);
});

Then('{string} comes to be {string}', async function (this: DroverWorld, name: string, state: string) {
  assert.equal((await this.tasks.waitForState(name, [state])).state, state);
});

Then(
  '{string} has put out {int} tokens or more',
  async function (this: DroverWorld, name: string, tokens: number) {
    const { tokens_out } = await this.tasks.status(name);
    assert.ok(tokens_out >= tokens, `${tokens_out} tokens`);
  },
);

Then('{string} was never started', async function (this: DroverWorld, name: string) {
  const { started_at_ms, first_token_at_ms, tokens_out } = await this.tasks.status(name);
  assert.deepEqual([started_at_ms, first_token_at_ms, tokens_out], [null, null, 0]);
});

Then('{string} has gone on meanwhile', async function (this: DroverWorld, name: string) {
  const { tokens_out } = await this.tasks.status(name);
  const delivered = this.readers.of(name).tokens.length;
  assert.ok(tokens_out > delivered, `${tokens_out} tokens, ${delivered} of them delivered`);
});

Then('the tasks are started in the order {names}', async function (this: DroverWorld, names: string[]) {
  const starts: [number, string][] = [];
  for (const name of names) {
    const { started_at_ms } = await this.tasks.waitForState(name, ['completed'], 60_000);
    starts.push([started_at_ms ?? NaN, name]);
  }
  assert.deepEqual(
    starts.sort(([a], [b]) => a - b).map(([, name]) => name),
    names,
  );
});

Then('its times are in the order admitted, started, first token, ended', function (this: DroverWorld) {
  const status = this.http.lookAt().json as Record<string, number>;
  const times = ['admitted_at_ms', 'started_at_ms', 'first_token_at_ms', 'ended_at_ms'].map(
    (key) => status[key] ?? NaN,
  );
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
});

Then('there is no task {string}', async function (this: DroverWorld, name: string) {
  await this.http.send('GET', `/v2/tasks/${this.tasks.of(name).id}`);
  assert.equal(this.http.lookAt().status, 404);
});

// Cancelled

When('{names} is/are cancelled', async function (this: DroverWorld, names: string[]) {
  await Promise.all(names.map((name) => this.cancel(name)));
});

Then('the answer is 204 without a body, with a correlation id', function (this: DroverWorld) {
  const { status, text, headers } = this.http.lookAt();
  assert.deepEqual([status, text], [204, '']);
  assert.ok(headers.get('x-correlation-id'));
});

Then('every slot is free, and the engine itself comes to be idle', async function (this: DroverWorld) {
  await this.stack.pool.waitForLeases(0);
  await this.stack.pool.waitForIdleEngine();
});
