/** Applications on Vercel's AI SDK. */
import { defineParameterType, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { aiSdk } from '../support/ai-sdk-session.js';
import { DEMO_TEXTS } from '../support/demo-texts.js';
import type { DroverWorld } from '../support/world.js';

const about = (topic: string) => `Tell me about the ${topic}.`;

defineParameterType({
  name: 'sdk_model',
  regexp: /its (default|chat model)/,
  transformer: (how: string) => how,
});

When(
  'the AI SDK generates a text about the {string} by {sdk_model}',
  async function (this: DroverWorld, topic: string, how: string) {
    await aiSdk(this).generate(how, about(topic));
  },
);

When(
  'the AI SDK generates a text of {int} tokens by {sdk_model}',
  async function (this: DroverWorld, maxOutputTokens: number, how: string) {
    await aiSdk(this).generate(how, about('sea'), { maxOutputTokens });
  },
);

When(
  'the AI SDK generates an object with a boolean {string} by {sdk_model}',
  async function (this: DroverWorld, name: string, how: string) {
    await aiSdk(this).generateObject(how, name);
  },
);

When(
  'the AI SDK streams a text about the {string} by {sdk_model}',
  async function (this: DroverWorld, topic: string, how: string) {
    await aiSdk(this).stream(how, about(topic));
  },
);

When(
  'the AI SDK asks about the {string} and then about the {string} in one talk by {sdk_model}',
  async function (this: DroverWorld, first: string, second: string, how: string) {
    await aiSdk(this).talk(how, about(first), about(second));
  },
);

When(
  'the AI SDK streams an endless text by {sdk_model} and aborts it after {int} pieces',
  async function (this: DroverWorld, how: string, pieces: number) {
    await aiSdk(this).abort(how, 'Tell me something endless.', pieces);
  },
);

When(
  'the AI SDK is refused the model {string} by {sdk_model}',
  async function (this: DroverWorld, model: string, how: string) {
    await aiSdk(this).refused(how, model);
  },
);

Then("the SDK has got the demo model's text about the {string}", function (this: DroverWorld, topic: string) {
  assert.equal(aiSdk(this).last.text, DEMO_TEXTS[topic]);
});

Then(
  "the SDK has got the demo model's text about the {string}, in pieces",
  function (this: DroverWorld, topic: string) {
    assert.equal(aiSdk(this).last.text, DEMO_TEXTS[topic]);
    assert.ok(aiSdk(this).pieces.length > 5);
  },
);

Then(
  "it finished for {string}, with its tokens counted as the task's",
  async function (this: DroverWorld, reason: string) {
    const { finishReason, usage } = aiSdk(this).last;
    this.tasks.name('sdk', aiSdk(this).taskId);
    const { tokens_in, tokens_out } = await this.tasks.waitForState('sdk', ['completed']);
    assert.ok(tokens_out > 0);
    assert.deepEqual([finishReason, usage.inputTokens, usage.outputTokens], [reason, tokens_in, tokens_out]);
  },
);

Then('it has got an object with a boolean {string}', function (this: DroverWorld, name: string) {
  const { object } = aiSdk(this);
  assert.ok(typeof object === 'object' && object !== null);
  assert.deepEqual(
    Object.entries(object).map(([key, value]) => [key, typeof value]),
    [[name, 'boolean']],
  );
});

Then('what was said first was read again', function (this: DroverWorld) {
  const [first, second] = aiSdk(this).answers.map(({ usage }) => usage);
  const said = (first?.inputTokens ?? 0) + (first?.outputTokens ?? 0);
  assert.ok(said > 0 && (second?.inputTokens ?? 0) > said, `${said} and ${String(second?.inputTokens)}`);
});

Then("the SDK's task is {string}", async function (this: DroverWorld, state: string) {
  this.tasks.name('sdk', aiSdk(this).taskId);
  await this.tasks.waitForState('sdk', [state]);
});

Then('its error says {int}, and that no pool serves the model', function (this: DroverWorld, status: number) {
  const { refusal } = aiSdk(this);
  assert.deepEqual([refusal?.statusCode, refusal?.message], [status, 'no pool serves this model']);
});
