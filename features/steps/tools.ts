/** Answers that call tools, and answers that say how likely they were. */
import { Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { APIError } from 'openai';
import { DEMO_TEXTS } from '../support/demo-texts.js';
import { toolUser } from '../support/tool-user.js';
import type { DroverWorld } from '../support/world.js';

const about = (topic: string) => `Tell me about the ${topic}.`;

/** Arguments as the tool's schema wants them. */
function assertArguments(given: unknown, name: string): void {
  assert.ok(typeof given === 'object' && given !== null);
  assert.deepEqual(
    Object.entries(given).map(([key, value]) => [key, typeof value]),
    [[name, 'boolean']],
  );
}

When(
  'an OpenAI client must have {string} called, {word}',
  async function (this: DroverWorld, name: string, how: string) {
    await toolUser(this).call([name], 'required', how === 'streamed');
  },
);

When(
  'an OpenAI client must have {string} called by a response, {word}',
  async function (this: DroverWorld, name: string, how: string) {
    await toolUser(this).callInResponse(name, how === 'streamed');
  },
);

Then(
  'what the tool said is answered with the same text, whether the items before are sent or named',
  function (this: DroverWorld) {
    const { texts } = toolUser(this);
    const [sent = '', named] = texts;
    assert.ok(sent.length > 20, sent);
    assert.deepEqual([texts.length, named], [2, sent]);
  },
);

When('an OpenAI client names {string} of two tools', async function (this: DroverWorld, name: string) {
  await toolUser(this).call(['get_tide', name], { type: 'function', function: { name } });
});

When("OpenAI's helper runs the tool {string}", async function (this: DroverWorld, name: string) {
  await toolUser(this).runTool(name);
});

When('the stream of a call is read again after each of its chunks', async function (this: DroverWorld) {
  await toolUser(this).readAgain();
});

When('the engine is killed amid a call that an OpenAI client streams', async function (this: DroverWorld) {
  await toolUser(this).amidCall(() => this.breakStack().killEngine());
});

Then(
  'it has got one call of {string}, whose arguments are JSON with a boolean {string} alone',
  function (this: DroverWorld, tool: string, name: string) {
    const { calls } = toolUser(this);
    const [call] = calls;
    assert.ok(call !== undefined && calls.length === 1, JSON.stringify(calls));
    assert.deepEqual([call.function.name, call.id.length > 1], [tool, true]);
    assertArguments(JSON.parse(call.function.arguments), name);
  },
);

Then(
  'nothing was said beside it, and it finished for {string} with its tokens counted',
  function (this: DroverWorld, reason: string) {
    const { said, finishReason, tokens } = toolUser(this);
    assert.deepEqual([said ?? '', finishReason], ['', reason]);
    assert.ok(tokens > 5, String(tokens));
  },
);

Then(
  'the function was called once, with a boolean {string} alone',
  function (this: DroverWorld, name: string) {
    const { ran } = toolUser(this);
    assert.equal(ran.length, 1);
    assertArguments(ran[0], name);
  },
);

Then('the answer to what it said is text, and calls nothing', function (this: DroverWorld) {
  const { said, calls } = toolUser(this);
  assert.ok(said !== null && said.length > 20, String(said));
  assert.deepEqual(calls, []);
});

Then('each time all chunks together are those of the first reader', function (this: DroverWorld) {
  const [whole = [], ...reads] = toolUser(this).reads;
  assert.ok(whole.length > 5 && reads.length === whole.length);
  for (const read of reads) assert.deepEqual(read, whole);
});

Then('the stream of the call ends with one error {string}', function (this: DroverWorld, code: string) {
  const { failure } = toolUser(this);
  assert.ok(failure instanceof APIError, 'the stream did not fail');
  assert.equal(failure.code, code);
});

// How likely they were

When(
  'an OpenAI client asks for the {int} likeliest tokens of a chat about the {string}, {word}',
  async function (this: DroverWorld, most: number, topic: string, how: string) {
    await toolUser(this).likelyChat(about(topic), most, how === 'streamed');
  },
);

When(
  'an OpenAI client asks for the {int} likeliest tokens of the text {string}, {word}',
  async function (this: DroverWorld, most: number, text: string, how: string) {
    await toolUser(this).likelyText(text, most, how === 'streamed');
  },
);

Then(
  "they spell the demo model's text about the {string}, and each comes with {int} of which it is the likeliest",
  function (this: DroverWorld, topic: string, most: number) {
    const { logprobs } = toolUser(this);
    assert.equal(logprobs.map(({ token }) => token).join(''), DEMO_TEXTS[topic]);
    for (const { token, logprob, bytes, top_logprobs } of logprobs) {
      assert.deepEqual([logprob <= 0, Buffer.from(bytes ?? []).toString()], [true, token]);
      assert.equal(top_logprobs.length, most);
      assert.equal(top_logprobs[0]?.token, token);
    }
  },
);

Then(
  "they spell the demo model's text about the {string}, and each has its place in it",
  function (this: DroverWorld, topic: string) {
    const told = toolUser(this).textLogprobs;
    const text = DEMO_TEXTS[topic] ?? '';
    const tokens = told.flatMap((part) => part.tokens ?? []);
    const places = told.flatMap((part) => part.text_offset ?? []);
    const logprobs = told.flatMap((part) => part.token_logprobs ?? []);
    const others = told.flatMap((part) => part.top_logprobs ?? []);
    assert.equal(tokens.join(''), text);
    assert.deepEqual(
      [places.length, logprobs.length, others.length],
      tokens.map(() => tokens.length).slice(0, 3),
    );
    for (const [at, token] of tokens.entries()) {
      assert.ok(text.startsWith(token, places[at]), `${token} at ${places[at]}`);
      assert.equal(Object.keys(others[at] ?? {}).length, 2);
    }
  },
);
