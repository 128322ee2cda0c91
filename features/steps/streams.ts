/** Streams are opened, read, left and taken up again. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { bytesFrom, formatProblems, joined, orderProblems } from '../support/stream-checks.js';
import type { DroverWorld } from '../support/world.js';

// Opened and read

When('a reader opens the stream of {string}', async function (this: DroverWorld, task: string) {
  await this.openEvents(task);
});

When(
  'a reader {string} opens the stream of {string}',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.openEvents(task, {}, reader);
  },
);

When(
  'a reader opens the stream of {string} with the correlation id {string}',
  async function (this: DroverWorld, task: string, id: string) {
    await this.openEvents(task, { headers: { 'x-correlation-id': id } });
  },
);

When('a reader has read the stream of {string} to its end', async function (this: DroverWorld, task: string) {
  await this.readToEnd(task);
});

When(
  'a reader {string} has read the stream of {string} to its end',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.readToEnd(task, {}, reader);
  },
);

When(
  'a verbose reader {string} has read the stream of {string} to its end',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.readToEnd(task, { verbose: true }, reader);
  },
);

When(
  'a reader that accepts gzip has read the stream of {string} to its end',
  async function (this: DroverWorld, task: string) {
    await this.readToEnd(task, { headers: { 'accept-encoding': 'gzip, br' } });
  },
);

When(
  'the readers {names} read the stream of {string} to its end at the same time',
  async function (this: DroverWorld, readers: string[], task: string) {
    await Promise.all(readers.map((reader) => this.readToEnd(task, {}, reader)));
  },
);

Given(
  'the reader of {string} gets {int} (more )tokens',
  async function (this: DroverWorld, name: string, count: number) {
    const reader = this.reader(name);
    assert.ok(await reader.waitForTokens(reader.tokens.length + count));
  },
);

Then(
  'the reader of {string} gets {int} tokens while {string} is {string}',
  async function (this: DroverWorld, name: string, count: number, task: string, state: string) {
    await this.reader(name).waitForTokens(count);
    assert.equal((await this.status(task)).state, state);
  },
);

// Left and taken up again

When(
  'a reader {string} reads {int} tokens of {string}, leaves, and comes back with its last event id',
  async function (this: DroverWorld, reader: string, count: number, task: string) {
    const first = await this.openEvents(task, {}, reader);
    await first.waitForTokens(count);
    await this.resume(task, reader);
  },
);

When(
  'the reader of {string} comes back with its last event id',
  async function (this: DroverWorld, task: string) {
    await this.resume(task, task);
  },
);

When(
  'a reader {string} reads the stream of {string} to its end from the start',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.readToEnd(task, {}, reader);
  },
);

When(
  'a reader {string} reads the stream of {string} to its end after event {int}',
  async function (this: DroverWorld, reader: string, task: string, id: number) {
    await this.readToEnd(task, { lastEventId: String(id) }, reader);
  },
);

When(
  'a reader {string} reads the stream of {string} to its end from frame {int}',
  async function (this: DroverWorld, reader: string, task: string, from: number) {
    await this.readToEnd(task, { from }, reader);
  },
);

When(
  'a reader {string} opens the stream of {string} after the last event of {string}',
  async function (this: DroverWorld, reader: string, task: string, first: string) {
    await this.openEvents(task, { lastEventId: this.reader(first).lastEventId ?? '' }, reader);
  },
);

Then(
  '{string} has got what {string} got, byte for byte',
  async function (this: DroverWorld, late: string, steady: string) {
    await this.reader(late).waitForClose();
    assert.equal(bytesFrom(joined(this.visitsOf(late))), bytesFrom(this.reader(steady).frames));
  },
);

Then(
  '{string} has got what {string} got from frame {int} on, byte for byte',
  function (this: DroverWorld, late: string, first: string, id: number) {
    assert.equal(bytesFrom(this.reader(late).frames), bytesFrom(this.reader(first).frames, id));
  },
);

Then(
  'the tokens of {string} are numbered from 0 to {int} without a gap',
  function (this: DroverWorld, reader: string, last: number) {
    assert.deepEqual(numbersOf(this, reader), countUpTo(last + 1));
  },
);

Then(
  'the reader of {string} has got each of the {int} tokens once',
  async function (this: DroverWorld, name: string, count: number) {
    const end = await this.reader(name).waitForClose();
    assert.deepEqual([end?.event, end?.data['tokens_out']], ['end', count]);
    assert.deepEqual(numbersOf(this, name), countUpTo(count));
  },
);

Then('it has got the text of an undisturbed run', async function (this: DroverWorld) {
  const name = this.lastReader;
  const text = this.visitsOf(name)
    .map((visit) => visit.text)
    .join('');
  assert.equal(text, await this.undisturbedText(name));
});

const numbersOf = (world: DroverWorld, reader: string) =>
  world.visitsOf(reader).flatMap((visit) => visit.tokens.map(({ i }) => i));
const countUpTo = (count: number) => Array.from({ length: count }, (_, index) => index);

// Headers and frames

Then(
  'the stream of {string} has the status {int} and the headers:',
  function (this: DroverWorld, name: string, status: number, table: DataTable) {
    const reader = this.reader(name);
    assert.equal(reader.status, status);
    const told = Object.keys(table.rowsHash()).map((header) => [header, reader.headers.get(header)]);
    assert.deepEqual(Object.fromEntries(told), table.rowsHash());
  },
);

Then(
  'the stream of {string} has the status {int} and no frame',
  async function (this: DroverWorld, name: string, status: number) {
    const reader = this.reader(name);
    await reader.waitForClose();
    assert.deepEqual([reader.status, reader.frames.length, reader.body], [status, 0, '']);
  },
);

Then('the answer of {string} has no {string}', function (this: DroverWorld, name: string, header: string) {
  assert.equal(this.reader(name).headers.get(header), null);
});

Then('the stream of {string} is still open', function (this: DroverWorld, name: string) {
  const { closed, lastFrame } = this.reader(name);
  assert.deepEqual([closed, lastFrame], [false, undefined]);
});

Then(
  'the first frame of {string} is {string}, with queue position {int} and predicted start {int} ms',
  async function (this: DroverWorld, name: string, event: string, position: number, startMs: number) {
    const first = await this.firstFrame(name);
    const told = [first.event, first.data['queue_position'], first.data['predicted_start_ms']];
    assert.deepEqual(told, [event, position, startMs]);
  },
);

Then(
  'the first frame of {string} is {string}',
  async function (this: DroverWorld, name: string, event: string) {
    assert.equal((await this.firstFrame(name)).event, event);
  },
);

Then(
  'the first frame of {string} is {string} with:',
  async function (this: DroverWorld, name: string, event: string, table: DataTable) {
    const first = await this.firstFrame(name);
    assert.deepEqual([first.event, pick(first.data, table)], [event, this.expected(table)]);
  },
);

Then(
  'the last frame of {string} is {string} with:',
  function (this: DroverWorld, name: string, event: string, table: DataTable) {
    const last = this.lookAtStream(name).frames.at(-1);
    assert.equal(last?.event, event);
    assert.deepEqual(pick(last.data, table), this.expected(table));
  },
);

const pick = (data: Record<string, unknown>, table: DataTable) =>
  Object.fromEntries(Object.keys(table.rowsHash()).map((key) => [key, data[key]]));

Then(
  'the frames of {string} are one "started", then tokens counted from 0 with metrics between them, then one "end"',
  function (this: DroverWorld, name: string) {
    assert.deepEqual(orderProblems(this.reader(name)), []);
    assert.equal(this.reader(name).lastFrame?.event, 'end');
  },
);

Then(
  'every token frame of {string} has text "t" and number "i" and nothing else',
  function (this: DroverWorld, name: string) {
    for (const { data } of this.reader(name).framesOf('token')) {
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
    assert.deepEqual(formatProblems(this.reader(name)), []);
  },
);

Then('the stream of {string} says:', async function (this: DroverWorld, name: string, text: string) {
  await this.reader(name).waitForClose();
  assert.equal(this.reader(name).text, text);
});

Then(
  'the task {string} says a text that begins with {string}',
  async function (this: DroverWorld, name: string, start: string) {
    await this.readToEnd(name);
    assert.equal(this.reader(name).text.slice(0, start.length), start);
  },
);

When(
  'four tasks about {names} are posted at once, each with a reader',
  async function (this: DroverWorld, topics: string[]) {
    await Promise.all(
      topics.map(async (topic) => {
        await this.admitTask(topic, { prompt: `Tell me about the ${topic}.` });
        await this.openEvents(topic);
      }),
    );
  },
);

Then(
  'each stream ends with {string} and says nothing but its own text:',
  async function (this: DroverWorld, event: string, table: DataTable) {
    for (const [topic, text] of Object.entries(table.rowsHash())) {
      assert.equal((await this.reader(topic).waitForClose(60_000))?.event, event);
      assert.deepEqual([orderProblems(this.reader(topic)), this.reader(topic).text], [[], text]);
    }
  },
);

// Ends

Then(
  'the stream of {string} ends with {string}',
  async function (this: DroverWorld, name: string, event: string) {
    assert.equal((await this.reader(name).waitForClose(60_000))?.event, event);
  },
);

Then(
  /^the stream of "([^"]+)" ends with the error "([^"]+)", (not retriable|retriable), and nothing after it$/,
  async function (this: DroverWorld, name: string, code: string, retriable: string) {
    const reader = this.lookAtStream(name);
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
  assert.deepEqual(this.reader(name).tokens, []);
});

Then('no token of {string} comes after the answer', async function (this: DroverWorld, name: string) {
  const reader = this.lookAtStream(name);
  const answeredAt = this.http.lookAt().at;
  await reader.waitForClose();
  const late = reader.framesOf('token').filter(({ at }) => at > answeredAt);
  assert.deepEqual(late, []);
});

Then(
  'what the reader of {string} got before is the beginning of the endless text',
  async function (this: DroverWorld, name: string) {
    const { text, tokens } = this.reader(name);
    const undisturbed = await this.undisturbedText(name, 2 * tokens.length + 20);
    assert.equal(undisturbed.slice(0, text.length), text);
  },
);

Then(
  'the "end" of {string} counts its tokens, and gives the decode time under both names',
  function (this: DroverWorld, name: string) {
    const { lastFrame, tokens } = this.reader(name);
    const { tokens_out, decode_time_ms, decode_ms } = lastFrame?.data ?? {};
    assert.equal(decode_time_ms, decode_ms);
    assert.ok(Number(tokens_out) >= tokens.length && Number(decode_ms) >= 0, lastFrame?.raw);
  },
);

// Metrics frames and comments

Then(
  'at least one "metrics" frame of {string} stands after the first token',
  function (this: DroverWorld, name: string) {
    const kinds = this.reader(name).frames.map(({ event }) => event);
    assert.ok(kinds.lastIndexOf('metrics') > kinds.indexOf('token'), kinds.join(' '));
  },
);

Then(
  'a "metrics" frame of {string} comes with queue depth {int}, and a probability above {float}',
  async function (this: DroverWorld, name: string, depth: number, least: number) {
    const frame = await this.reader(name).waitForAny(
      ({ event, data }) => event === 'metrics' && data['queue_depth'] === depth,
    );
    assert.ok(Number(frame.data['on_time_probability']) > least, frame.raw);
  },
);

Then(
  'a "metrics" frame of {string} comes after its first {int} tokens with a probability between {float} and {float}',
  async function (this: DroverWorld, name: string, tokens: number, least: number, most: number) {
    const frame = await this.reader(name).waitForAny(
      ({ event, data }) => event === 'metrics' && Number(data['tokens_out']) > tokens,
    );
    const probability = Number(frame.data['on_time_probability']);
    assert.ok(probability > least && probability < most, frame.raw);
  },
);

Then(
  'no more than {int} "metrics" frames a second come for {string}',
  async function (this: DroverWorld, most: number, name: string) {
    const reader = this.reader(name);
    await reader.waitForTokens(60);
    const [first, last] = [reader.frames[0]?.at ?? 0, reader.frames.at(-1)?.at ?? 0];
    const allowed = 1 + Math.ceil(((last - first) / 1000) * most);
    assert.ok(
      reader.framesOf('metrics').length <= allowed,
      `${reader.framesOf('metrics').length} > ${allowed}`,
    );
  },
);

Then(
  'the "metrics" frames of {string} have a "phase" and a "human", those of {string} have not',
  function (this: DroverWorld, wordy: string, plain: string) {
    const words = (name: string) =>
      this.reader(name)
        .framesOf('metrics')
        .map(({ data }) => [typeof data['phase'], typeof data['human']]);
    assert.deepEqual(new Set(words(wordy).flat()), new Set(['string']));
    assert.deepEqual(new Set(words(plain).flat()), new Set(['undefined']));
  },
);

Then(
  'all other frames of {string} and {string} are the same',
  function (this: DroverWorld, one: string, other: string) {
    const others = (name: string) =>
      this.reader(name)
        .frames.filter(({ event }) => event !== 'metrics')
        .map(({ raw }) => raw);
    assert.deepEqual(others(one), others(other));
  },
);

Then(
  'a comment {string} comes before any frame of {string}',
  async function (this: DroverWorld, comment: string, name: string) {
    const reader = this.reader(name);
    assert.deepEqual([await reader.waitForComment(), reader.frames], [comment, []]);
  },
);

When(
  'an endless task {string} is posted whose deadline is half as long again as its tokens will take',
  async function (this: DroverWorld, name: string) {
    const max_tokens = 1000;
    const deadline_ms = Math.round(1.5 * max_tokens * (await this.msPerToken()));
    await this.admitTask(name, { prompt: 'Tell me something endless.', max_tokens, deadline_ms });
  },
);

Given(
  'an endless task {string} with a deadline that passes in mid-stream',
  async function (this: DroverWorld, name: string) {
    // What the client expects is feasible; what it asks for is not.
    const overrides = {
      prompt: 'Tell me something endless.',
      max_tokens: 3000,
      expected_tokens: 1,
      deadline_ms: 2000,
    };
    await this.admitTask(name, overrides);
  },
);

When(
  'a task {string} is posted that takes {int} s at the measured pace',
  async function (this: DroverWorld, name: string, seconds: number) {
    const max_tokens = Math.min(4000, Math.ceil((seconds * 1000) / (await this.msPerToken())));
    await this.admitTask(name, { prompt: 'Tell me something endless.', max_tokens });
  },
);

Then(
  'the stream of {string} ends with {string} more than {int} s after {string}',
  { timeout: 240_000 },
  async function (this: DroverWorld, name: string, event: string, seconds: number, first: string) {
    const reader = this.reader(name);
    const last = await reader.waitForClose(200_000);
    const started = reader.frames[0];
    assert.deepEqual([started?.event, last?.event, orderProblems(reader)], [first, event, []], last?.raw);
    assert.ok((last?.at ?? 0) - (started?.at ?? 0) > seconds * 1000);
  },
);
