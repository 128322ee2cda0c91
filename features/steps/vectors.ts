/** Vectors of texts, by OpenAI's words and in the frames of a task. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { logLine } from '../support/logs.js';
import { openAi } from '../support/openai-session.js';
import { valueOf } from '../support/values.js';
import { floatsOf, similarity, vectorClient } from '../support/vector-client.js';
import type { DroverWorld } from '../support/world.js';

/** Rounding of 32-bit floats over some hundred products. */
const NEARLY = 1e-4;
const KEY = { 'idempotency-key': 'the-same-vectors' };

When('an OpenAI client asks for the vectors of', async function (this: DroverWorld, table: DataTable) {
  await vectorClient(this).ask(table.raw().map(([text]) => text ?? ''));
});

Then(
  'it has got {int} vectors of length 1, in the order of the texts',
  function (this: DroverWorld, count: number) {
    const { vectors, indexes } = vectorClient(this);
    assert.deepEqual(
      indexes,
      Array.from({ length: count }, (_, index) => index),
    );
    for (const vector of vectors) assert.ok(Math.abs(similarity(vector, vector) - 1) < NEARLY);
  },
);

Then('the vectors {int} and {int} are the same', function (this: DroverWorld, one: number, other: number) {
  const { vectors } = vectorClient(this);
  assert.deepEqual(vectors[one - 1], vectors[other - 1]);
});

Then(
  'the vector {int} is nearer to {int} than to {int}',
  function (this: DroverWorld, one: number, near: number, far: number) {
    const [a = [], b = [], c = []] = [one, near, far].map((number) => vectorClient(this).vectors[number - 1]);
    assert.ok(similarity(a, b) > similarity(a, c) + NEARLY, `${similarity(a, b)}, ${similarity(a, c)}`);
  },
);

Then('its tokens in are counted, and none out', function (this: DroverWorld) {
  const { usage, texts } = vectorClient(this);
  assert.ok(usage !== undefined && usage.prompt_tokens > texts.length * 3);
  assert.equal(usage.total_tokens, usage.prompt_tokens);
});

Then('the task of the vectors is {string}', async function (this: DroverWorld, state: string) {
  await vectorClient(this).taskBecomes(state);
});

Then(
  'the second of them alone is the same, asked for as {string}',
  async function (this: DroverWorld, format: string) {
    const client = vectorClient(this);
    assert.deepEqual(await client.alone(client.texts[1] ?? '', format), client.vectors[1]);
  },
);

Then('the second of them alone is the same, asked for by its token ids', async function (this: DroverWorld) {
  const client = vectorClient(this);
  const ids = await client.idsOf(client.texts[1] ?? '');
  assert.deepEqual(await client.alone(ids), client.vectors[1]);
});

// Refusals

When(
  'the vectors of {string} are asked for with',
  async function (this: DroverWorld, input: string, table: DataTable) {
    const fields = Object.entries(table.rowsHash()).map(([field, text]) => [field, valueOf(text)]);
    await vectorClient(this).post({ input, ...(Object.fromEntries(fields) as object) });
  },
);

When(
  '{string} and {string} are to be ranked for {string}',
  async function (this: DroverWorld, one: string, other: string, query: string) {
    await vectorClient(this).post({ query, documents: [one, { text: other }] }, {}, '/v1/rerank');
  },
);

Then(
  "the answer is {int} {string} about {string} in OpenAI's words",
  function (this: DroverWorld, status: number, code: string, param: string) {
    const { last } = vectorClient(this);
    const { error } = last.json as { error: { code: string; param: string; message: string } };
    assert.deepEqual([last.status, error.code, error.param], [status, code, param], last.text);
  },
);

// The same again

When(
  'the vectors of {string} are asked for twice with one idempotency key',
  async function (this: DroverWorld, input: string) {
    for (const _ of [1, 2]) await vectorClient(this).post({ input }, KEY);
  },
);

When(
  'the vectors of {string} are asked for with that key',
  async function (this: DroverWorld, input: string) {
    const { status } = await vectorClient(this).post({ input }, KEY);
    openAi(this).lastStatus = status;
  },
);

Then('both answers are the same, of one task', function (this: DroverWorld) {
  const { answers } = vectorClient(this);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  const [one, other] = answers.map(({ text, headers }) => [text, headers.get('x-task-id')]);
  assert.deepEqual(one, other);
});

// Tasks with inputs

Given(
  'a task {string} with {int} inputs is posted',
  async function (this: DroverWorld, name: string, count: number) {
    const topics = ['sea', 'tea', 'rain', 'river'];
    const inputs = Array.from(
      { length: count },
      (_, index) => `Tell me about the ${topics[index % 4] ?? ''}.`,
    );
    await this.tasks.admit(name, { workload: 'embedding', prompt: undefined, inputs });
  },
);

When(
  'a task {string} of workload {string} is posted',
  async function (this: DroverWorld, name: string, workload: string) {
    await this.tasks.post(name, { workload, inputs: ['sand', 'snow'] });
  },
);

Then(
  'the reader of {string} has got a vector for each of the {int} inputs, once',
  function (this: DroverWorld, name: string, count: number) {
    const frames = this.readers.of(name).framesOf('token');
    assert.deepEqual(
      frames.map(({ data }) => data['i']),
      Array.from({ length: count }, (_, index) => index),
    );
    const vectors = frames.map(({ data }) => floatsOf(String(data['embedding'])));
    // The inputs repeat after four; whichever engine has computed them, the vectors do too.
    for (const [index, vector] of vectors.entries()) {
      assert.ok(Math.abs(similarity(vector, vector) - 1) < NEARLY, `input ${index}`);
      assert.deepEqual(vector, vectors[index % 4], `input ${index}`);
    }
  },
);

Then(
  'the node has logged that {string} waited for an engine with some of its inputs answered',
  async function (this: DroverWorld, name: string) {
    const waited = { event: 'run_waits_for_engine', task_id: this.tasks.of(name).id };
    const { tokens_in, tokens_out } = await logLine(this.stack.mustNode(), waited);
    assert.ok(Number(tokens_in) > 0 && tokens_out === 0, `${String(tokens_in)}, ${String(tokens_out)}`);
  },
);

Then(
  'the history of {string} has its inputs and no vector',
  async function (this: DroverWorld, name: string) {
    const opened = await this.temporal.openedTextOfTask(this.tasks.of(name).id);
    assert.ok(opened.includes('Tell me about the sea.'));
    const vectors = this.readers
      .of(name)
      .framesOf('token')
      .map(({ data }) => String(data['embedding']));
    assert.equal(vectors.length, 3);
    for (const vector of vectors) assert.ok(!opened.includes(vector));
  },
);
