/** Live figures, pace and deadlines: what a stream says of its own future, and tasks made to measure. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { orderProblems } from '../support/stream-checks.js';
import { ENDLESS } from '../support/task-book.js';
import type { DroverWorld } from '../support/world.js';

Then(
  'at least one "metrics" frame of {string} stands after the first token',
  function (this: DroverWorld, name: string) {
    const kinds = this.readers.of(name).frames.map(({ event }) => event);
    assert.ok(kinds.lastIndexOf('metrics') > kinds.indexOf('token'), kinds.join(' '));
  },
);

Then(
  'a "metrics" frame of {string} comes with queue depth {int}, and a probability above {float}',
  async function (this: DroverWorld, name: string, depth: number, least: number) {
    const frame = await this.readers
      .of(name)
      .waitForAny(({ event, data }) => event === 'metrics' && data['queue_depth'] === depth);
    assert.ok(Number(frame.data['on_time_probability']) > least, frame.raw);
  },
);

Then(
  'a "metrics" frame of {string} comes after its first {int} tokens with a probability between {float} and {float}',
  async function (this: DroverWorld, name: string, tokens: number, least: number, most: number) {
    const frame = await this.readers
      .of(name)
      .waitForAny(({ event, data }) => event === 'metrics' && Number(data['tokens_out']) > tokens);
    const probability = Number(frame.data['on_time_probability']);
    assert.ok(probability > least && probability < most, frame.raw);
  },
);

Then(
  'no more than {int} "metrics" frames a second come for {string}',
  async function (this: DroverWorld, most: number, name: string) {
    const reader = this.readers.of(name);
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
      this.readers
        .of(name)
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
      this.readers
        .of(name)
        .frames.filter(({ event }) => event !== 'metrics')
        .map(({ raw }) => raw);
    assert.deepEqual(others(one), others(other));
  },
);

Then(
  'a comment {string} comes before any frame of {string}',
  async function (this: DroverWorld, comment: string, name: string) {
    const reader = this.readers.of(name);
    assert.deepEqual([await reader.waitForComment(), reader.frames], [comment, []]);
  },
);

When(
  'an endless task {string} is posted whose deadline is half as long again as its tokens will take',
  async function (this: DroverWorld, name: string) {
    const max_tokens = 1000;
    const deadline_ms = Math.round(1.5 * max_tokens * (await this.msPerToken()));
    await this.tasks.admit(name, { ...ENDLESS, max_tokens, deadline_ms });
  },
);

/** What the client expects is feasible; what it asks for is not. */
const TOO_LONG = {
  prompt: 'Tell me something endless.',
  max_tokens: 3000,
  expected_tokens: 1,
  deadline_ms: 2000,
};

Given(
  'an endless task {string} with a deadline that passes in mid-stream',
  async function (this: DroverWorld, name: string) {
    await this.tasks.admit(name, TOO_LONG);
  },
);

Given(
  'an endless task {string} with a deadline that passes in mid-stream, and a header that asks for more',
  async function (this: DroverWorld, name: string) {
    const headers = { 'x-request-deadline': new Date(Date.now() + 3_600_000).toISOString() };
    assert.equal((await this.tasks.post(name, TOO_LONG, { headers })).status, 202);
  },
);

Given(
  'an endless task {string} is posted that may run for {int} ms',
  async function (this: DroverWorld, name: string, wall_ms: number) {
    await this.tasks.admit(name, { ...ENDLESS, wall_ms });
  },
);

When(
  'a task {string} is posted that takes {int} s at the measured pace',
  async function (this: DroverWorld, name: string, seconds: number) {
    // The fastest of some: whatever else the machine does for a moment must not make the task shorter.
    const paces: number[] = [];
    for (const name of ['pace-1', 'pace-2', 'pace-3']) paces.push(await this.msPerToken(name));
    const max_tokens = Math.min(4000, Math.ceil((seconds * 1000) / Math.min(...paces)));
    await this.tasks.admit(name, { ...ENDLESS, max_tokens });
  },
);

Then(
  'the stream of {string} ends with {string} more than {int} s after {string}',
  { timeout: 240_000 },
  async function (this: DroverWorld, name: string, event: string, seconds: number, first: string) {
    const reader = this.readers.of(name);
    const last = await reader.waitForClose(200_000);
    const started = reader.frames[0];
    assert.deepEqual([started?.event, last?.event, orderProblems(reader)], [first, event, []], last?.raw);
    assert.ok((last?.at ?? 0) - (started?.at ?? 0) > seconds * 1000);
  },
);

Then(
  'the error of {string} says the stage {string} and the limit of {int} ms',
  function (this: DroverWorld, task: string, stage: string, limit: number) {
    const { data } = this.readers.of(task).frames.at(-1) ?? {};
    const message = String(data?.['message']);
    const [, saidStage, saidLimit] = /\(stage (\w+), \d+ ms of (\d+) ms\)$/.exec(message) ?? [];
    assert.deepEqual([saidStage, Number(saidLimit)], [stage, limit], message);
  },
);
