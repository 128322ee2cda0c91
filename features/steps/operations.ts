/** Operations on pools are watched. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { operation, type Operation } from '../../contracts/operation.js';
import type { SseFrame } from '../support/event-reader.js';
import type { DroverWorld } from '../support/world.js';

const WATCHER = 'the operator';

const ofReload = (frames: readonly SseFrame[], event: string) =>
  frames.filter((frame) => frame.event === event && frame.data['kind'] === 'reload');
const stepsOf = (frames: readonly SseFrame[]) => ofReload(frames, 'step').map(({ data }) => data['step']);

function lastOperation(world: DroverWorld): Operation {
  return operation.parse(world.http.lookAt().json);
}

Given('an operator watches the pool', async function (this: DroverWorld) {
  await this.readers.watchPool('default', WATCHER);
});

Then('the operator sees the reload begin {names}', async function (this: DroverWorld, steps: string[]) {
  const watcher = this.readers.of(WATCHER);
  await watcher.waitForAny(() => stepsOf(watcher.frames).length >= steps.length);
  assert.deepEqual(stepsOf(watcher.frames), steps);
});

Then(
  /^the operator sees the reload end as "(.*)", and then the pool with the (?:version "(.*)"|first version)$/,
  async function (this: DroverWorld, status: string, version: string | null) {
    const watcher = this.readers.of(WATCHER);
    const end = await watcher.waitForAny(() => ofReload(watcher.frames, 'end').length > 0);
    assert.ok(end);
    assert.deepEqual(
      ofReload(watcher.frames, 'end').map(({ data }) => data['status']),
      [status],
    );
    const wanted = version ?? this.stack.engineVersion;
    await watcher.waitForAny(() => {
      const { engine_version, ready } = watcher.framesOf('status').at(-1)?.data ?? {};
      return engine_version === wanted && ready === true;
    });
  },
);

When('the address of the answer is requested', async function (this: DroverWorld) {
  const { href } = this.http.lookAt().json as { href: string };
  await this.http.send('GET', href);
});

Then('each of its steps tells when it began and how long it took', function (this: DroverWorld) {
  const { steps, started_at_ms, ended_at_ms } = lastOperation(this);
  assert.ok(steps.length > 0 && ended_at_ms !== null);
  for (const { step, at_ms, duration_ms } of steps) {
    assert.ok(at_ms >= started_at_ms && at_ms <= ended_at_ms, step);
    assert.ok(duration_ms !== null && at_ms + duration_ms <= ended_at_ms, step);
  }
});

When(
  'the operator comes back with the event of the step {string}',
  async function (this: DroverWorld, step: string) {
    const known = ofReload(this.readers.of(WATCHER).frames, 'step');
    const lastEventId = known.find(({ data }) => data['step'] === step)?.id;
    assert.ok(lastEventId !== undefined);
    await this.readers.watchPool('default', WATCHER, lastEventId);
  },
);

Then('the operator sees only what came after it', async function (this: DroverWorld) {
  const watcher = this.readers.of(WATCHER);
  await watcher.waitForAny(({ event }) => event === 'status');
  assert.deepEqual(
    watcher.frames.map(({ event, data }) => (event === 'step' ? data['step'] : event)),
    ['publish', 'drain', 'stop_old', 'end', 'status'],
  );
});

Then(
  "the operation's error is {string} with the message {string}",
  function (this: DroverWorld, code: string, words: string) {
    const { error } = lastOperation(this);
    assert.equal(error?.code, code);
    assert.ok(error.message.includes(words), error.message);
  },
);
