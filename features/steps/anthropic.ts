/** Anthropic's client, and a reader of its events who comes back. */
import { Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { anthropicError } from '../../contracts/anthropic.js';
import { anthropic, type WireEvent } from '../support/anthropic-session.js';
import { DEMO_TEXTS } from '../support/demo-texts.js';
import { valueOf } from '../support/values.js';
import type { DroverWorld } from '../support/world.js';

const about = (topic: string) => `Tell me about the ${topic}.`;
const fieldsOf = (table: DataTable) =>
  Object.fromEntries(Object.entries(table.rowsHash()).map(([field, text]) => [field, valueOf(text)]));

When('an Anthropic client asks about the {string}', async function (this: DroverWorld, topic: string) {
  await anthropic(this).ask(about(topic));
});

When(
  'an Anthropic client asks about the {string} with',
  async function (this: DroverWorld, topic: string, table: DataTable) {
    await anthropic(this).ask(about(topic), fieldsOf(table));
  },
);

When(
  'an Anthropic client streams an answer about the {string}',
  async function (this: DroverWorld, topic: string) {
    await anthropic(this).stream(about(topic));
  },
);

When('an Anthropic client asks the model {string}', async function (this: DroverWorld, model: string) {
  await anthropic(this).refused({ model });
});

When('an Anthropic client asks with the key {string}', async function (this: DroverWorld, key: string) {
  await anthropic(this).refused({}, key);
});

When('an Anthropic client asks for a tool', async function (this: DroverWorld) {
  await anthropic(this).refused({ tools: [{ name: 'f', input_schema: { type: 'object' } }] });
});

When('an Anthropic client must have {string} called', async function (this: DroverWorld, name: string) {
  const input_schema = {
    type: 'object',
    properties: { high: { type: 'boolean' } },
    required: ['high'],
    additionalProperties: false,
  };
  const tools = [{ name, input_schema }];
  await anthropic(this).stream(about('sea'), { tools, tool_choice: { type: 'any' } });
});

Then(
  'its message is one use of {string} with a boolean {string} alone, and it stopped for {string}',
  function (this: DroverWorld, tool: string, field: string, reason: string) {
    const { content, stop_reason } = anthropic(this).message ?? assert.fail('there is no message');
    assert.equal(stop_reason, reason);
    const uses = content.flatMap((block) => (block.type === 'tool_use' ? [block] : []));
    assert.deepEqual(
      uses.map(({ name, input }) => [name, typeof (input as Record<string, unknown>)[field]]),
      [[tool, 'boolean']],
    );
  },
);

Then("the message is the demo model's text about the {string}", function (this: DroverWorld, topic: string) {
  const { content, type, role } = anthropic(this).message ?? assert.fail('there is no message');
  assert.deepEqual([type, role], ['message', 'assistant']);
  assert.deepEqual(
    content.map((block) => (block.type === 'text' ? block.text : block.type)),
    [DEMO_TEXTS[topic]],
  );
});

Then('it stopped for {string}, with its tokens counted', function (this: DroverWorld, reason: string) {
  const { stop_reason, usage } = anthropic(this).message ?? assert.fail('there is no message');
  assert.equal(stop_reason, reason);
  assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0, JSON.stringify(usage));
});

Then("the message's task is {string}", async function (this: DroverWorld, state: string) {
  const id = anthropic(this).message?.id.replace(/^msg-/, '') ?? '';
  this.tasks.name('message', id);
  await this.tasks.waitForState('message', [state]);
});

Then('its events were the start, one block of text, and the end', function (this: DroverWorld) {
  assert.deepEqual(anthropic(this).kinds, [
    ...['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop'],
    ...['message_delta', 'message_stop'],
  ]);
});

Then('it is refused with {int} {string}', function (this: DroverWorld, status: number, type: string) {
  const { refusal } = anthropic(this);
  const { error } = anthropicError.parse(refusal?.error);
  assert.deepEqual([refusal?.status, error.type], [status, type]);
});

const counts = new WeakMap<DroverWorld, number>();

When(
  'an Anthropic client counts what it would ask about the {string}',
  async function (this: DroverWorld, topic: string) {
    counts.set(this, await anthropic(this).count(about(topic)));
  },
);

Then('it has counted the tokens that the message says were read', function (this: DroverWorld) {
  assert.equal(counts.get(this), anthropic(this).message?.usage.input_tokens);
});

Then('what the system says is counted too', async function (this: DroverWorld) {
  const more = await anthropic(this).count(about('sea'), { system: 'Be brief.' });
  assert.ok(more > (counts.get(this) ?? Infinity), String(more));
});

const visits = new WeakMap<DroverWorld, WireEvent[][]>();

When(
  "a reader of Anthropic's events about the {string} leaves after {int} of them and comes back",
  async function (this: DroverWorld, topic: string, count: number) {
    const session = anthropic(this);
    const first = await session.events(about(topic), count, 'come-back');
    const start = JSON.parse(first[0]?.text.split('data: ')[1] ?? '{}') as { message: { id: string } };
    const rest = await session.eventsAfter(start.message.id, first.at(-1)?.id ?? '');
    const whole = await session.events(about(topic), Infinity, 'come-back');
    visits.set(this, [first, rest, whole]);
  },
);

Then('it has got every event of the message once', function (this: DroverWorld) {
  const [first = [], rest = [], whole = []] = visits.get(this) ?? [];
  assert.ok(first.length > 0 && rest.length > 0);
  assert.deepEqual([...first, ...rest], whole);
  assert.ok(whole.at(-1)?.text.includes('event: message_stop'));
});
