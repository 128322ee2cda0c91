/** Streams are opened, read, left and taken up again. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { bytesFrom, joined } from '../support/stream-checks.js';
import type { DroverWorld } from '../support/world.js';

// Opened and read

When('a reader opens the stream of {string}', async function (this: DroverWorld, task: string) {
  await this.readers.open(task);
});

When(
  'a reader {string} opens the stream of {string}',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.readers.open(task, {}, reader);
  },
);

When(
  'a reader opens the stream of {string} with the correlation id {string}',
  async function (this: DroverWorld, task: string, id: string) {
    await this.readers.open(task, { headers: { 'x-correlation-id': id } });
  },
);

When('a reader has read the stream of {string} to its end', async function (this: DroverWorld, task: string) {
  await this.readers.readToEnd(task);
});

When(
  'a reader {string} has read the stream of {string} to its end',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.readers.readToEnd(task, {}, reader);
  },
);

When(
  'a verbose reader {string} has read the stream of {string} to its end',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.readers.readToEnd(task, { verbose: true }, reader);
  },
);

When(
  'a reader that accepts gzip has read the stream of {string} to its end',
  async function (this: DroverWorld, task: string) {
    await this.readers.readToEnd(task, { headers: { 'accept-encoding': 'gzip, br' } });
  },
);

When(
  'the readers {names} read the stream of {string} to its end at the same time',
  async function (this: DroverWorld, readers: string[], task: string) {
    await Promise.all(readers.map((reader) => this.readers.readToEnd(task, {}, reader)));
  },
);

When(
  '{int} readers read the stream of {string} to its end at the same time',
  { timeout: 120_000 },
  async function (this: DroverWorld, count: number, task: string) {
    const crowd = crowdOf(count);
    // As many at once as a server's backlog takes; those before them read on meanwhile.
    for (let from = 0; from < count; from += OPENED_AT_ONCE) {
      const next = crowd.slice(from, from + OPENED_AT_ONCE);
      await Promise.all(next.map((reader) => this.readers.open(task, {}, reader)));
    }
    await Promise.all(crowd.map((reader) => this.readers.of(reader).waitForClose(60_000)));
  },
);

Then(
  'each of the {int} readers has got each of the {int} tokens once, in the same frames',
  function (this: DroverWorld, count: number, tokens: number) {
    const [first = '', ...others] = crowdOf(count);
    assert.deepEqual(numbersOf(this, first), countUpTo(tokens));
    // Of live figures a reader who is far behind gets fewer.
    const lasting = (reader: string) =>
      bytesFrom(this.readers.of(reader).frames.filter(({ event }) => event !== 'metrics'));
    const expected = lasting(first);
    for (const reader of others) assert.equal(lasting(reader), expected, reader);
  },
);

const OPENED_AT_ONCE = 50;
const crowdOf = (count: number) => Array.from({ length: count }, (_, index) => `reader-${index}`);

Given(
  'the reader of {string} gets {int} (more )tokens',
  async function (this: DroverWorld, name: string, count: number) {
    const reader = this.readers.of(name);
    assert.ok(await reader.waitForTokens(reader.tokens.length + count));
  },
);

Then(
  'the reader of {string} gets {int} tokens while {string} is {string}',
  async function (this: DroverWorld, name: string, count: number, task: string, state: string) {
    await this.readers.of(name).waitForTokens(count);
    assert.equal((await this.tasks.status(task)).state, state);
  },
);

// Left and taken up again

When('the reader of {string} leaves', function (this: DroverWorld, task: string) {
  this.readers.lookAt(task).leave();
});

When(
  'a reader {string} reads {int} tokens of {string}, leaves, and comes back with its last event id',
  async function (this: DroverWorld, reader: string, count: number, task: string) {
    const first = await this.readers.open(task, {}, reader);
    await first.waitForTokens(count);
    await this.readers.resume(task, reader);
  },
);

When(
  'the reader of {string} comes back with its last event id',
  async function (this: DroverWorld, task: string) {
    await this.readers.resume(task, task);
  },
);

When(
  'a reader {string} reads the stream of {string} to its end from the start',
  async function (this: DroverWorld, reader: string, task: string) {
    await this.readers.readToEnd(task, {}, reader);
  },
);

When(
  'a reader {string} reads the stream of {string} to its end after event {int}',
  async function (this: DroverWorld, reader: string, task: string, id: number) {
    await this.readers.readToEnd(task, { lastEventId: String(id) }, reader);
  },
);

When(
  'a reader {string} reads the stream of {string} to its end from frame {int}',
  async function (this: DroverWorld, reader: string, task: string, from: number) {
    await this.readers.readToEnd(task, { from }, reader);
  },
);

When(
  'a reader {string} opens the stream of {string} after the last event of {string}',
  async function (this: DroverWorld, reader: string, task: string, first: string) {
    await this.readers.open(task, { lastEventId: this.readers.of(first).lastEventId ?? '' }, reader);
  },
);

Then(
  '{string} has got what {string} got, byte for byte',
  async function (this: DroverWorld, late: string, steady: string) {
    await this.readers.of(late).waitForClose();
    assert.equal(bytesFrom(joined(this.readers.visitsOf(late))), bytesFrom(this.readers.of(steady).frames));
  },
);

Then(
  '{string} has got what {string} got from frame {int} on, byte for byte',
  function (this: DroverWorld, late: string, first: string, id: number) {
    assert.equal(bytesFrom(this.readers.of(late).frames), bytesFrom(this.readers.of(first).frames, id));
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
    const end = await this.readers.of(name).waitForClose();
    assert.deepEqual([end?.event, end?.data['tokens_out']], ['end', count]);
    assert.deepEqual(numbersOf(this, name), countUpTo(count));
  },
);

Then('it has got the text of an undisturbed run', async function (this: DroverWorld) {
  const name = this.readers.last;
  const text = this.readers
    .visitsOf(name)
    .map((visit) => visit.text)
    .join('');
  assert.equal(text, await this.undisturbedText(name));
});

const numbersOf = (world: DroverWorld, reader: string) =>
  world.readers.visitsOf(reader).flatMap((visit) => visit.tokens.map(({ i }) => i));
const countUpTo = (count: number) => Array.from({ length: count }, (_, index) => index);
