/** What the frames of a stream must be. */
import { Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { DEMO_TEXTS } from '../support/demo-texts.js';
import { logLine } from '../support/logs.js';
import { formatProblems, orderProblems } from '../support/stream-checks.js';
import type { DroverWorld } from '../support/world.js';

Then(
  'the stream of {string} has the status {int} and the headers:',
  function (this: DroverWorld, name: string, status: number, table: DataTable) {
    const reader = this.readers.of(name);
    assert.equal(reader.status, status);
    const told = Object.keys(table.rowsHash()).map((header) => [header, reader.headers.get(header)]);
    assert.deepEqual(Object.fromEntries(told), table.rowsHash());
  },
);

Then(
  'the stream of {string} has the status {int} and no frame',
  async function (this: DroverWorld, name: string, status: number) {
    const reader = this.readers.of(name);
    await reader.waitForClose();
    assert.deepEqual([reader.status, reader.frames.length, reader.body], [status, 0, '']);
  },
);

Then('the answer of {string} has no {string}', function (this: DroverWorld, name: string, header: string) {
  assert.equal(this.readers.of(name).headers.get(header), null);
});

Then('the stream of {string} is still open', function (this: DroverWorld, name: string) {
  const { closed, lastFrame } = this.readers.of(name);
  assert.deepEqual([closed, lastFrame], [false, undefined]);
});

Then(
  'the first frame of {string} is {string}, with queue position {int} and predicted start {int} ms',
  async function (this: DroverWorld, name: string, event: string, position: number, startMs: number) {
    const first = await this.readers.firstFrame(name);
    const told = [first.event, first.data['queue_position'], first.data['predicted_start_ms']];
    assert.deepEqual(told, [event, position, startMs]);
  },
);

Then(
  'the first frame of {string} is {string}',
  async function (this: DroverWorld, name: string, event: string) {
    assert.equal((await this.readers.firstFrame(name)).event, event);
  },
);

Then(
  'the first frame of {string} is {string} with:',
  async function (this: DroverWorld, name: string, event: string, table: DataTable) {
    const first = await this.readers.firstFrame(name);
    assert.deepEqual([first.event, pick(first.data, table)], [event, this.expected(table)]);
  },
);

Then(
  'the last frame of {string} is {string} with:',
  function (this: DroverWorld, name: string, event: string, table: DataTable) {
    const last = this.readers.lookAt(name).frames.at(-1);
    assert.equal(last?.event, event);
    assert.deepEqual(pick(last.data, table), this.expected(table));
  },
);

const pick = (data: Record<string, unknown>, table: DataTable) =>
  Object.fromEntries(Object.keys(table.rowsHash()).map((key) => [key, data[key]]));

Then(
  'the frames of {string} are one "started", then tokens counted from 0 with metrics between them, then one "end"',
  function (this: DroverWorld, name: string) {
    assert.deepEqual(orderProblems(this.readers.of(name)), []);
    assert.equal(this.readers.of(name).lastFrame?.event, 'end');
  },
);

Then(
  'every token frame of {string} has text "t" and number "i" and nothing else',
  function (this: DroverWorld, name: string) {
    for (const { data } of this.readers.of(name).framesOf('token')) {
      assert.deepEqual(
        [Object.keys(data).sort(), typeof data['t'], typeof data['i']],
        [['i', 't'], 'string', 'number'],
      );
    }
  },
);

Then(
  'every frame of {string} is "id", "event" and one line of JSON as "data"',
  function (this: DroverWorld, name: string) {
    assert.deepEqual(formatProblems(this.readers.of(name)), []);
  },
);

Then('the stream of {string} says:', async function (this: DroverWorld, name: string, text: string) {
  await this.readers.of(name).waitForClose();
  assert.equal(this.readers.of(name).text, text);
});

Then(
  'the task {string} says a text that begins with {string}',
  async function (this: DroverWorld, name: string, start: string) {
    await this.readers.readToEnd(name);
    assert.equal(this.readers.of(name).text.slice(0, start.length), start);
  },
);

When(
  'four tasks about {names} are posted at once, each with a reader',
  async function (this: DroverWorld, topics: string[]) {
    await Promise.all(
      topics.map(async (topic) => {
        await this.tasks.admit(topic, { prompt: `Tell me about the ${topic}.` });
        await this.readers.open(topic);
      }),
    );
  },
);

Then(
  'each stream ends with {string} and says nothing but its own text:',
  async function (this: DroverWorld, event: string, table: DataTable) {
    for (const [topic, text] of Object.entries(table.rowsHash())) {
      assert.equal((await this.readers.of(topic).waitForClose(60_000))?.event, event);
      assert.deepEqual([orderProblems(this.readers.of(topic)), this.readers.of(topic).text], [[], text]);
    }
  },
);

Then(
  'the "end" of {string} tells as many tokens as the engine has counted',
  async function (this: DroverWorld, name: string) {
    const reader = this.readers.of(name);
    const { data } = await reader.waitForFrame('end');
    // The engine counts the token of its end too, and tokens that are no text of their own.
    assert.ok(
      Number(data['tokens_out']) >= reader.tokens.length && Number(data['tokens_in']) > 0,
      reader.url,
    );
  },
);

Then(
  'the stream of {string} ends with {string} and says the text about the {string}',
  async function (this: DroverWorld, name: string, event: string, topic: string) {
    assert.equal((await this.readers.of(name).waitForClose(60_000))?.event, event);
    assert.deepEqual(
      [orderProblems(this.readers.of(name)), this.readers.of(name).text],
      [[], DEMO_TEXTS[topic]],
    );
  },
);

Then(
  'the node has logged that {string} waited for an engine',
  async function (this: DroverWorld, name: string) {
    const task_id = this.tasks.of(name).id;
    const { level, tokens_out } = await logLine(this.stack.mustNode(), {
      event: 'run_waits_for_engine',
      task_id,
    });
    assert.ok(level === 'warn' && Number(tokens_out) > 0);
  },
);

// Ends

Then(
  'the stream of {string} ends with {string}',
  async function (this: DroverWorld, name: string, event: string) {
    assert.equal((await this.readers.of(name).waitForClose(60_000))?.event, event);
  },
);

Then(
  /^the stream of "([^"]+)" ends with the error "([^"]+)", (not retriable|retriable), and nothing after it$/,
  async function (this: DroverWorld, name: string, code: string, retriable: string) {
    const reader = this.readers.lookAt(name);
    const last = await reader.waitForClose();
    assert.deepEqual(
      [last?.event, last?.data['code'], last?.data['retriable']],
      ['error', code, retriable === 'retriable'],
    );
    assert.equal(reader.frames.at(-1), last);
    assert.equal(reader.frames.filter(({ event }) => event === 'end' || event === 'error').length, 1);
  },
);

Then('the reader of {string} has got no token', function (this: DroverWorld, name: string) {
  assert.deepEqual(this.readers.of(name).tokens, []);
});

Then(
  'nothing but the error comes for {string} after the answer',
  async function (this: DroverWorld, name: string) {
    const reader = this.readers.lookAt(name);
    const answeredAt = this.http.lookAt().at;
    await reader.waitForClose();
    const late = reader.frames.filter(({ at, event }) => at > answeredAt && event !== 'error');
    assert.deepEqual(late, []);
  },
);

Then(
  'the tokens of {string} and {string} are the same',
  function (this: DroverWorld, one: string, other: string) {
    const [first, second] = [one, other].map((name) => this.readers.of(name).tokens);
    assert.deepEqual(second, first);
    assert.ok((first?.length ?? 0) > 5, JSON.stringify(first));
  },
);

Then(
  'what the reader of {string} got before is the beginning of the endless text',
  async function (this: DroverWorld, name: string) {
    const { text, tokens } = this.readers.of(name);
    const undisturbed = await this.undisturbedText(name, 2 * tokens.length + 20);
    assert.equal(undisturbed.slice(0, text.length), text);
  },
);

Then(
  'the "end" of {string} counts its tokens, and gives the decode time under both names',
  function (this: DroverWorld, name: string) {
    const { lastFrame, tokens } = this.readers.of(name);
    const { tokens_out, decode_time_ms, decode_ms } = lastFrame?.data ?? {};
    assert.equal(decode_time_ms, decode_ms);
    assert.ok(Number(tokens_out) >= tokens.length && Number(decode_ms) >= 0, lastFrame?.raw);
  },
);
