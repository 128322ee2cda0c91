/** OpenAI's client and responses, and readers of their events who come back. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { DEMO_TEXTS } from '../support/demo-texts.js';
import { bodyOf, responses } from '../support/response-session.js';
import { valueOf } from '../support/values.js';
import type { DroverWorld } from '../support/world.js';

const about = (topic: string) => `Tell me about the ${topic}.`;
const ENDLESS = 'Tell me something endless.';
const fieldsOf = (table: DataTable) =>
  Object.fromEntries(Object.entries(table.rowsHash()).map(([field, text]) => [field, valueOf(text)]));

When(
  'an OpenAI client asks for a response about the {string} with',
  async function (this: DroverWorld, topic: string, table: DataTable) {
    await responses(this).ask(about(topic), fieldsOf(table));
  },
);

When(
  'an OpenAI client asks for a response about the {string} in the background',
  async function (this: DroverWorld, topic: string) {
    await responses(this).ask(about(topic), { background: true });
  },
);

When(
  'an OpenAI client streams a response about the {string}',
  async function (this: DroverWorld, topic: string) {
    await responses(this).stream(about(topic));
  },
);

When(
  'an OpenAI client streams a response about the {string} with its helper',
  async function (this: DroverWorld, topic: string) {
    await responses(this).streamWithHelper(about(topic));
  },
);

Given(
  /^an OpenAI client has read (\d+) events of a response of (\d+) tokens( in the background)?, and left$/,
  async function (this: DroverWorld, events: string, tokens: string, where: string | null) {
    const more = { max_output_tokens: Number(tokens), background: where !== null };
    await responses(this).stream(ENDLESS, more, Number(events));
  },
);

When('it comes back after the last number that it had', async function (this: DroverWorld) {
  await responses(this).comeBack();
});

When('it cancels the response twice', async function (this: DroverWorld) {
  await responses(this).cancel();
  assert.equal(responses(this).response.status, 'cancelled');
  await responses(this).cancel();
});

When('an OpenAI client is refused a response with', async function (this: DroverWorld, table: DataTable) {
  const body = { ...bodyOf(about('sea')), ...fieldsOf(table), stream: false as const };
  await responses(this).refused((client) => client.responses.create(body));
});

Then(
  "the response is {string} with the demo model's text about the {string}",
  function (this: DroverWorld, status: string, topic: string) {
    const { response, text } = responses(this);
    assert.deepEqual([response.status, text], [status, DEMO_TEXTS[topic]]);
  },
);

Then(
  "it comes to be {string} with the demo model's text about the {string}",
  async function (this: DroverWorld, status: string, topic: string) {
    await responses(this).becomes(status);
    assert.equal(responses(this).text, DEMO_TEXTS[topic]);
  },
);

Then(
  'its tokens are counted, and it repeats its instructions, metadata and store',
  function (this: DroverWorld) {
    const { usage, instructions, metadata, ...rest } = responses(this).response;
    assert.ok(usage && usage.input_tokens > 0 && usage.output_tokens > 10);
    assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens);
    assert.deepEqual([instructions, metadata], ['Tell it as it is.', { a: 'b' }]);
    assert.equal((rest as { store?: boolean }).store, false);
  },
);

Then("the response's task is {string}", async function (this: DroverWorld, state: string) {
  this.tasks.name('response', responses(this).response.id.replace(/^resp_/, ''));
  await this.tasks.waitForState('response', [state]);
});

Then(
  'its events opened the text, told it, closed it and ended, numbered from 0 without a gap',
  function (this: DroverWorld) {
    const { events } = responses(this);
    const types = events.map(({ type }) => type.replace('response.', ''));
    assert.deepEqual(
      types.filter((type, index) => types[index - 1] !== type),
      [
        ...['created', 'in_progress', 'output_item.added', 'content_part.added', 'output_text.delta'],
        ...['output_text.done', 'content_part.done', 'output_item.done', 'completed'],
      ],
    );
    assert.deepEqual(
      events.map(({ sequence_number }) => sequence_number),
      [...events.keys()],
    );
  },
);

Then(
  'the response is {string} after {int} tokens, cut by {string}',
  function (this: DroverWorld, status: string, tokens: number, reason: string) {
    const { response } = responses(this);
    assert.deepEqual([response.status, response.usage?.output_tokens], [status, tokens]);
    assert.equal(response.incomplete_details?.reason, reason);
  },
);

Then(
  "the response's text is JSON, and has a boolean {string} alone",
  function (this: DroverWorld, name: string) {
    const { text } = responses(this);
    const answer = JSON.parse(text) as Record<string, unknown>;
    assert.deepEqual([Object.keys(answer), typeof answer[name]], [[name], 'boolean'], text);
  },
);

Then('the response is {string}, without a text', function (this: DroverWorld, state: string) {
  const { status, output } = responses(this).response;
  assert.deepEqual([status, output], [state, []]);
});

Then('all events together are those of an undisturbed reader, each once', async function (this: DroverWorld) {
  assert.deepEqual(responses(this).events, await responses(this).undisturbed());
});

Then('the response is {string} both times', function (this: DroverWorld, status: string) {
  assert.equal(responses(this).response.status, status);
});

Then('the response is refused a cancel with {int}', async function (this: DroverWorld, status: number) {
  const { id } = responses(this).response;
  await responses(this).refused((client) => client.responses.cancel(id));
  assert.equal(responses(this).refusal?.status, status);
});

Then(
  "the response's refusal is {int} {string} about {string}",
  function (this: DroverWorld, status: number, code: string, param: string) {
    const { refusal } = responses(this);
    assert.deepEqual([refusal?.status, refusal?.code, refusal?.param ?? ''], [status, code, param]);
  },
);
