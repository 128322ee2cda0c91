/** Minutes and hours, on the time-skipping server. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import type { TaskOutcome } from '../../contracts/node.js';
import {
  endOf,
  neverHealthy,
  restartsWhileFollowing,
  runPreload,
  runTask,
  timed,
} from '../support/timed-nodes.js';
import type { DroverWorld } from '../support/world.js';

Given('a node whose engine never becomes healthy', function (this: DroverWorld) {
  neverHealthy(timed(this));
});

Given('a node that nobody hears of', function (this: DroverWorld) {
  timed(this).node.activities = undefined;
});

Given(
  'a node whose worker ends three times while it follows a run, each time for {int} minutes',
  function (this: DroverWorld, minutes: number) {
    restartsWhileFollowing(timed(this), minutes);
  },
);

When(
  'its pool is preloaded with the default limit of {int} ms',
  async function (this: DroverWorld, limitMs: number) {
    await runPreload(timed(this), limitMs);
  },
);

When('a task is run on it', async function (this: DroverWorld) {
  await runTask(timed(this));
});

Then(
  'the preload/task fails with the type {string} and the message {string}',
  function (this: DroverWorld, type: string, message: string) {
    const { failure } = endOf(this);
    assert.equal(failure?.type, type);
    assert.ok(failure.message.includes(message), failure.message);
  },
);

Then('the task completes with {int} tokens', function (this: DroverWorld, tokens: number) {
  const { state, tokens_out } = endOf(this).result as TaskOutcome;
  assert.deepEqual([state, tokens_out], ['completed', tokens]);
});

Then(
  "it took {int} to {int} s by the server's clock",
  function (this: DroverWorld, least: number, most: number) {
    const seconds = endOf(this).tookMs / 1000;
    assert.ok(seconds >= least && seconds <= most, `${seconds} s`);
  },
);

Then(
  'the node was asked for its health more than {int} times, in one activity of the history',
  function (this: DroverWorld, least: number) {
    const polls = timed(this).calls.filter((call) => call === 'awaitEngineReady').length;
    assert.ok(polls > least, `${polls} polls`);
    assert.equal(endOf(this).activities.filter((name) => name === 'awaitEngineReady').length, 1);
  },
);

Then('after the last health check the node did {names}', function (this: DroverWorld, names: string[]) {
  const { calls } = timed(this);
  assert.deepEqual(calls.slice(calls.lastIndexOf('awaitEngineReady') + 1), names);
});

Then(
  'the run was taken up {int} times, in one activity of the history',
  function (this: DroverWorld, times: number) {
    assert.equal(timed(this).calls.filter((call) => call === 'followRun').length, times);
    assert.deepEqual(endOf(this).activities, ['followRun']);
  },
);
