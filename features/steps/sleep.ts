/** Pools that sleep and wake. */
import { Before, Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { admission } from '../../contracts/task.js';
import { metricsData } from '../../contracts/events.js';
import { poolList } from '../../contracts/pool.js';
import { SleepyPools } from '../support/sleepy-pools.js';
import { ENDLESS } from '../support/task-book.js';
import type { DroverWorld } from '../support/world.js';

/** What a scenario has of pools that sleep. */
interface SleepyWorld extends DroverWorld {
  sleepy: SleepyPools;
}

Before(function (this: SleepyWorld) {
  this.sleepy = new SleepyPools(this);
});

Given('an installation that may have two pools loaded', async function (this: SleepyWorld) {
  await this.useStack({ preload: false, hub: true, slots: 1, maxLoadedPools: 2 });
});

Given('an installation that serves models of the catalogue', async function (this: SleepyWorld) {
  await this.useStack({ preload: false, hub: true, slots: 1, modelsOnDemand: 'cpu' });
});

Given(
  'the hub has the demo model as {string}, which takes {int} seconds',
  async function (this: SleepyWorld, ref: string, seconds: number) {
    await this.sleepy.putAtHub(ref, seconds);
  },
);

Given('the pool {string} sleeps', async function (this: SleepyWorld, pool: string) {
  await this.sleepy.lay(pool);
});

Given(
  'the pool {string} sleeps, with the model {string}',
  async function (this: SleepyWorld, pool: string, modelRef: string) {
    await this.sleepy.lay(pool, { modelRef });
  },
);

Given(
  'the pool {string} sleeps, with a slow engine, and again after {int} ms without a task',
  async function (this: SleepyWorld, pool: string, idleTtlMs: number) {
    await this.sleepy.lay(pool, { model: 'slow', idleTtlMs });
  },
);

Given(
  'the pools {string}, {string} and {string} sleep, with slow engines',
  async function (this: SleepyWorld, one: string, two: string, three: string) {
    for (const pool of [one, two, three]) await this.sleepy.lay(pool, { model: 'slow' });
  },
);

Given(
  'the pool {string} sleeps, with a model that is not there',
  async function (this: SleepyWorld, pool: string) {
    await this.sleepy.lay(pool, { modelPath: '/nowhere/none.gguf' });
  },
);

const forPool = (world: SleepyWorld, pool: string, max_tokens: number) => ({
  ...ENDLESS,
  ...{ model_ref: world.sleepy.refOf(pool), max_tokens },
});

When(
  'a task {string} of {int} tokens is posted for the pool {string}',
  async function (this: SleepyWorld, name: string, tokens: number, pool: string) {
    await this.tasks.admit(name, forPool(this, pool, tokens));
  },
);

When(
  '{int} tasks for the pool {string} are posted at once and complete',
  async function (this: SleepyWorld, count: number, pool: string) {
    const names = Array.from({ length: count }, (_, index) => `t${index}`);
    await this.tasks.postTogether(names, forPool(this, pool, 5));
    for (const name of names) await this.tasks.waitForState(name, ['completed']);
  },
);

When('the API and the control worker are killed, and others are started', async function (this: SleepyWorld) {
  const stack = this.breakStack();
  await Promise.all([stack.mustApi().program.kill('SIGKILL'), stack.mustControl().kill('SIGKILL')]);
  await Promise.all([stack.startApi(), stack.startControl()]);
});

When('the reader of {string} comes back', async function (this: SleepyWorld, name: string) {
  await this.readers.resume(name);
});

const stepsOf = (world: SleepyWorld, name: string) =>
  admission.parse(world.tasks.answerOf(name).json).preparation.steps;

Then(
  '{string} was told that {string} and {string} are prepared for it',
  function (this: SleepyWorld, name: string, model: string, pool: string) {
    const steps = stepsOf(this, name).map(({ id, kind, group, status }) => [id, kind, group, status]);
    assert.deepEqual(steps, [
      [model, 'model_fetch', 'model', 'pending'],
      [pool, 'pool_warmup', 'pool', 'pending'],
    ]);
  },
);

Then('{string} was told that nothing is prepared for it', function (this: SleepyWorld, name: string) {
  assert.deepEqual(stepsOf(this, name), []);
});

Then(
  '{string} was told in words how the model came and the pool was loaded, and of no token before',
  function (this: SleepyWorld, reader: string) {
    const { frames } = this.readers.of(reader);
    const before = frames.slice(
      0,
      frames.findIndex(({ event }) => event === 'started'),
    );
    const told = before.map(({ event, id, data }) => {
      assert.deepEqual([event, id], ['metrics', undefined]);
      return metricsData.parse(data);
    });
    assert.ok(told.every(({ phase, human }) => phase === 'prepare' && human !== undefined));
    const progress = (prefix: string) =>
      told.flatMap(({ prep = {} }) =>
        Object.entries(prep).flatMap(([id, step]) => (id.startsWith(prefix) ? [step] : [])),
      );
    const model = progress('model:');
    const bytes = model.flatMap(({ phase, bytes_done }) => (phase === 'fetch' ? [Number(bytes_done)] : []));
    assert.ok(new Set(bytes).size > 1, `it was seen at ${bytes.join(', ')}`);
    assert.deepEqual(
      bytes,
      bytes.toSorted((a, b) => a - b),
    );
    assert.equal(model.at(-1)?.status, 'completed');
    assert.ok(progress('pool:').some(({ status, phase }) => status === 'running' && phase === 'load'));
  },
);

Then(
  '{string} has got the whole answer of {string} after one "started", which is the first event with an id',
  async function (this: SleepyWorld, reader: string, task: string) {
    const kept = this.readers.of(reader).frames.filter(({ id }) => id !== undefined);
    assert.deepEqual([kept[0]?.event, kept[0]?.id], ['started', '0']);
    assert.equal(kept.filter(({ event }) => event === 'started').length, 1);
    const last = kept.at(-1);
    const { tokens_out } = await this.tasks.status(task);
    assert.deepEqual([last?.event, last?.data['tokens_out']], ['end', tokens_out]);
    assert.ok(tokens_out > 0);
  },
);

Then('the pool {string} was loaded {int} times', function (this: SleepyWorld, pool: string, times: number) {
  assert.equal(this.sleepy.pids(pool).length, times);
});

Then(
  '{string} has run for longer than {int} ms on one engine of the pool {string}',
  async function (this: SleepyWorld, name: string, ms: number, pool: string) {
    const { started_at_ms, ended_at_ms, state } = await this.tasks.status(name);
    assert.equal(state, 'completed');
    assert.ok(Number(ended_at_ms) - Number(started_at_ms) > ms);
    assert.equal(this.sleepy.pids(pool).length, 1);
  },
);

Then(
  'the pool {string} comes to be asleep, and its engine is gone',
  async function (this: SleepyWorld, pool: string) {
    await this.sleepy.fallsAsleep(pool);
  },
);

Then('the pool {string} is loaded', async function (this: SleepyWorld, pool: string) {
  const { state, on_demand, sleeps_at_ms } = await this.sleepy.health(pool);
  assert.deepEqual([state, on_demand], ['ready', true]);
  assert.ok(Number(sleeps_at_ms) > Date.now());
});

Then(
  'the reader of {string} is told that {string} waits',
  async function (this: SleepyWorld, name: string, step: string) {
    const { data, id } = await this.readers.of(name).waitForAny(({ event }) => event === 'metrics');
    const told = metricsData.parse(data).prep?.[step];
    assert.deepEqual([id, told?.status, told?.phase], [undefined, 'pending', 'wait']);
  },
);

Then('{string} is {string}', async function (this: SleepyWorld, name: string, state: string) {
  assert.equal((await this.tasks.status(name)).state, state);
});

Then('its cause is {string}', function (this: SleepyWorld, cause_code: string) {
  assert.deepEqual(this.readers.lookAt(this.readers.last).frames.at(-1)?.data['details'], { cause_code });
});

Then('the pool {string} is asleep, and says why', async function (this: SleepyWorld, pool: string) {
  await this.sleepy.hasFailed(pool, /model_path/);
});

Then('it has printed that the pool {string} is asleep', function (this: SleepyWorld, pool: string) {
  assert.match(this.cli.last.stdout, new RegExp(`^${pool} .* asleep .* now `, 'm'));
});

Then('it has told a person how the pool was loaded', function (this: SleepyWorld) {
  assert.match(this.cli.last.stderr, /waits to be loaded|loads the model/);
});

Then(
  'it has told a person that the model is fetched, and how its pool was loaded',
  function (this: SleepyWorld) {
    const { stderr } = this.cli.last;
    assert.match(stderr, /^hf:org\/repo\/tea\.gguf is not there yet: it is fetched$/m);
    assert.match(stderr, /^the model is asked for$|waits to be loaded|loads the model/m);
  },
);

Then('it has told nobody of any of it', function (this: SleepyWorld) {
  assert.doesNotMatch(this.cli.last.stderr, /fetched|asked for|loads|waits/);
});

Then(
  'the model {string} has one pool, which was loaded once',
  async function (this: SleepyWorld, ref: string) {
    const { json } = await this.http.send('GET', '/v2/pools');
    const { pools } = poolList.parse(json);
    assert.deepEqual(
      pools.map(({ model_ref, on_demand, backend }) => [model_ref, on_demand, backend]),
      [[ref, true, 'cpu']],
    );
    assert.equal(this.sleepy.pids(pools[0]?.pool_id ?? '').length, 1);
  },
);
