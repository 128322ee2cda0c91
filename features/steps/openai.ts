/** OpenAI's client, and readers of its streams who come back. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { DEMO_TEXTS } from '../support/demo-texts.js';
import { idOfWire, openAi, OpenAiSession, type WireChunk } from '../support/openai-session.js';
import { valueOf } from '../support/values.js';
import type { DroverWorld } from '../support/world.js';

const CHAT = '/v1/chat/completions';
const KEY = { 'idempotency-key': 'the-same-again' };
const about = (topic: string) => `Tell me about ${topic}.`;
const fieldsOf = (table: DataTable) =>
  Object.fromEntries(Object.entries(table.rowsHash()).map(([field, text]) => [field, valueOf(text)]));

// Completions

When('an OpenAI client asks in a chat about the {string}', async function (this: DroverWorld, topic: string) {
  await openAi(this).chat(about(topic));
});

When(
  'an OpenAI client asks in a chat about the {string} with',
  async function (this: DroverWorld, topic: string, table: DataTable) {
    await openAi(this).chat(about(topic), fieldsOf(table));
  },
);

When('an OpenAI client streams a chat about {string}', async function (this: DroverWorld, topic: string) {
  await openAi(this).streamChat(about(topic));
});

When(
  'an OpenAI client completes the text {string}, {word}',
  async function (this: DroverWorld, prompt: string, how: string) {
    await openAi(this).complete(prompt, how === 'streamed');
  },
);

Then("it has got the demo model's text about the {string}", function (this: DroverWorld, topic: string) {
  assert.equal(openAi(this).text, DEMO_TEXTS[topic]);
});

Then('its chunks were the role, then content, then the finish, then the usage', function (this: DroverWorld) {
  const { kinds } = openAi(this);
  assert.deepEqual([...new Set(kinds)], ['role', 'content', 'finish', 'usage']);
  assert.deepEqual([kinds.at(0), kinds.at(-2), kinds.at(-1)], ['role', 'finish', 'usage']);
});

Then('it finished for {string}', function (this: DroverWorld, reason: string) {
  assert.equal(openAi(this).finishReason, reason);
});

Then('it finished for {string} with its tokens counted', function (this: DroverWorld, reason: string) {
  const { finishReason, usage } = openAi(this);
  assert.equal(finishReason, reason);
  assert.ok(usage && usage.prompt_tokens > 0 && usage.completion_tokens > 10);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
});

Then(
  'it finished for {string} with {int} tokens',
  function (this: DroverWorld, reason: string, tokens: number) {
    assert.equal(openAi(this).finishReason, reason);
    assert.equal(openAi(this).usage?.completion_tokens, tokens);
  },
);

Then('its text ends with {string}', function (this: DroverWorld, end: string) {
  assert.ok(openAi(this).text.endsWith(end), openAi(this).text);
});

Then('its text is JSON, and has a boolean {string} alone', function (this: DroverWorld, name: string) {
  const answer = JSON.parse(openAi(this).text) as Record<string, unknown>;
  assert.deepEqual([Object.keys(answer), typeof answer[name]], [[name], 'boolean'], openAi(this).text);
});

Then("the completion's task is {string}", async function (this: DroverWorld, state: string) {
  assert.equal(await openAi(this).taskBecomes([state]), state);
});

When('an OpenAI client lists the models', async function (this: DroverWorld) {
  openAi(this).kinds = await openAi(this).models();
});

Then(
  '{string} is among them, and is found by its id, as is {string}',
  async function (this: DroverWorld, id: string, alias: string) {
    assert.deepEqual(openAi(this).kinds, [id]);
    assert.equal((await openAi(this).model(id)).id, id);
    assert.equal((await openAi(this).model(alias)).id, alias);
  },
);

When(
  'OpenAI clients stream chats about the {word}, the {word} and {word} at the same time',
  async function (this: DroverWorld, one: string, two: string, three: string) {
    const topics = [one, two, three];
    const sessions = topics.map(() => new OpenAiSession(this));
    await Promise.all(sessions.map((session, index) => session.streamChat(about(topics[index] ?? ''))));
    openAi(this).kinds = sessions.map(({ text }) => text);
  },
);

Then(
  'they have got the texts about {word}, {word} and {word}',
  function (this: DroverWorld, one: string, two: string, three: string) {
    const topics = [one, two, three];
    assert.deepEqual(
      openAi(this).kinds,
      topics.map((topic) => DEMO_TEXTS[topic]),
    );
  },
);

// Refusals

When('an OpenAI client is refused a chat with', async function (this: DroverWorld, table: DataTable) {
  await openAi(this).expectRefusal(fieldsOf(table));
});

When(
  'an OpenAI client with the key {string} is refused a chat',
  async function (this: DroverWorld, key: string) {
    await openAi(this).expectRefusal({}, key);
  },
);

Then(
  'the refusal is {int} {string} about {string}, with a request id',
  function (this: DroverWorld, status: number, code: string, param: string) {
    const { refusal } = openAi(this);
    assert.deepEqual([refusal?.status, refusal?.code, refusal?.param ?? ''], [status, code, param]);
    assert.match(refusal?.requestID ?? '', /^[0-9a-f-]{36}$/);
  },
);

Then(
  'it says in {string} and {string} when to come back',
  function (this: DroverWorld, ms: string, s: string) {
    const headers = openAi(this).refusal?.headers;
    assert.ok(Number(headers?.get(ms)) >= 1);
    assert.equal(headers?.get(s), String(Math.max(1, Math.floor(Number(headers?.get(ms)) / 1000))));
  },
);

Given(
  'a queue with one slot and room for {int} task, both taken',
  async function (this: DroverWorld, capacity: number) {
    await this.useFreshStack({ slots: 1, model: 'slow', capacity });
    await this.occupySlot('running');
    await this.admitTask('waiting');
  },
);

// Streams that are left

Given(
  'a chat stream of {int} tokens was left after {int} chunks',
  async function (this: DroverWorld, tokens: number, chunks: number) {
    await leftStream(this, tokens, chunks);
  },
);

Given(
  'a chat stream of {int} tokens with an idempotency key was left after {int} chunks',
  async function (this: DroverWorld, tokens: number, chunks: number) {
    await leftStream(this, tokens, chunks, KEY);
  },
);

Given(
  'a chat stream of {int} tokens was read to its end',
  async function (this: DroverWorld, tokens: number) {
    await leftStream(this, tokens, Infinity);
  },
);

async function leftStream(world: DroverWorld, tokens: number, chunks: number, headers = {}): Promise<void> {
  const session = openAi(world);
  const stream = await session.readWire(
    { method: 'POST', path: CHAT, body: session.longChat(tokens), headers },
    chunks,
  );
  session.wire = stream.chunks;
  session.completionId = idOfWire(stream.chunks);
}

const lastIdOf = (chunks: readonly WireChunk[]) => ({ 'last-event-id': chunks.at(-1)?.id ?? '' });

When('its reader comes back to the completion with the last id', async function (this: DroverWorld) {
  const session = openAi(this);
  const path = `${CHAT}/${session.completionId}?stream=true`;
  const rest = await session.readWire({ method: 'GET', path, headers: lastIdOf(session.wire) });
  session.wire = [...session.wire, ...rest.chunks];
});

When('its reader sends the same POST again with the last id', async function (this: DroverWorld) {
  const session = openAi(this);
  const headers = { ...KEY, ...lastIdOf(session.wire) };
  const rest = await session.readWire({ method: 'POST', path: CHAT, body: session.longChat(120), headers });
  session.wire = [...session.wire, ...rest.chunks];
});

Then('all chunks together are those of an undisturbed reader, each once', async function (this: DroverWorld) {
  const session = openAi(this);
  const path = `${CHAT}/${session.completionId}?stream=true`;
  const whole = await session.readWire({ method: 'GET', path });
  assert.deepEqual(session.wire, whole.chunks);
  assert.equal(whole.chunks.at(-1)?.data, '[DONE]');
});

Then('there is one run of it', async function (this: DroverWorld) {
  const session = openAi(this);
  assert.equal(await session.taskBecomes(['completed']), 'completed');
  const ids = session.wire.flatMap(({ data }) =>
    data === '[DONE]' ? [] : [(JSON.parse(data) as { id: string }).id],
  );
  assert.deepEqual([...new Set(ids)], [session.completionId]);
});

When('another body is sent with the same idempotency key', async function (this: DroverWorld) {
  const session = openAi(this);
  await session.readWire({ method: 'POST', path: CHAT, body: session.longChat(7), headers: KEY });
});

Then("the answer is {int} in OpenAI's words", function (this: DroverWorld, status: number) {
  assert.equal(openAi(this).lastStatus, status);
});

Then(
  'a reader that comes back after any of its chunks gets exactly the others',
  async function (this: DroverWorld) {
    const session = openAi(this);
    const path = `${CHAT}/${session.completionId}?stream=true`;
    for (const [index, chunk] of session.wire.entries()) {
      const rest = await session.readWire({ method: 'GET', path, headers: lastIdOf([chunk]) });
      assert.deepEqual(rest.chunks, session.wire.slice(index + 1), `after ${chunk.id}`);
    }
  },
);

Given('readers may be away for {int} ms', async function (this: DroverWorld, graceMs: number) {
  await this.useStack({ slots: 1, model: 'slow', disconnectGraceMs: graceMs });
});

Then('its slot is free again', async function (this: DroverWorld) {
  await this.stack.pool.waitForLeases(0);
});

When(
  'an OpenAI client asks for a whole chat of {int} tokens and leaves once it runs',
  async function (this: DroverWorld, tokens: number) {
    await openAi(this).leaveWhole(tokens);
  },
);
