/** Which installation a scenario runs on, and what happens to its processes. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import type { DroverWorld } from '../support/world.js';

/** A slow engine, so that a stream can be met midway, with one slot, so that one task is enough to fill it. */
const ONE_SLOT = { slots: 1, model: 'slow' } as const;

Given('an engine with one slot', async function (this: DroverWorld) {
  await this.useStack(ONE_SLOT);
});

Given(
  'an engine with one slot, busy with the endless task {string}',
  async function (this: DroverWorld, name: string) {
    await this.useStack(ONE_SLOT);
    await this.tasks.occupySlot(name);
  },
);

Given(
  'a queue of {int} under "drop-lru", behind one slot that is busy with the endless task {string}',
  async function (this: DroverWorld, capacity: number, name: string) {
    await this.useStack({ ...ONE_SLOT, capacity, policy: 'drop-lru' });
    await this.tasks.occupySlot(name);
  },
);

Given('a very slow engine with one slot', async function (this: DroverWorld) {
  await this.useStack({ slots: 1, model: 'slower' });
});

Given('an engine whose model knows tools', async function (this: DroverWorld) {
  await this.useStack({ tools: true });
});

Given('a slow engine with one slot, whose model knows tools', async function (this: DroverWorld) {
  await this.useFreshStack({ ...ONE_SLOT, tools: true });
});

Given('a fresh installation', async function (this: DroverWorld) {
  await this.useFreshStack({});
});

Given('a fresh installation whose engine has one slot', async function (this: DroverWorld) {
  await this.useFreshStack(ONE_SLOT);
});

Given('a fresh installation with a slow engine', async function (this: DroverWorld) {
  await this.useFreshStack(ONE_SLOT);
});

Given(
  'a fresh installation with a slow engine that waits {int} ms before a restart',
  async function (this: DroverWorld, initial_ms: number) {
    await this.useFreshStack({ ...ONE_SLOT, supervision: { initial_ms } });
  },
);

Given(
  'a fresh installation with a slow engine that is asked for its health every {int} ms',
  async function (this: DroverWorld, healthIntervalMs: number) {
    await this.useFreshStack({ ...ONE_SLOT, healthIntervalMs });
  },
);

Given(
  'a fresh installation whose engine has one slot, busy with the endless task {string}',
  async function (this: DroverWorld, name: string) {
    await this.useFreshStack(ONE_SLOT);
    await this.tasks.occupySlot(name);
  },
);

Given('a fresh installation whose pool is not loaded', async function (this: DroverWorld) {
  await this.useFreshStack({ preload: false });
});

Given(
  'a fresh installation whose node has the pool {string}',
  async function (this: DroverWorld, nodePools: string) {
    await this.useFreshStack({ preload: false, nodePools });
  },
);

Given('a fresh installation whose Temporal can be stopped', async function (this: DroverWorld) {
  await this.useFreshStack({ ownTemporal: true });
});

Given('a fresh installation that keeps its artifacts in a bucket', async function (this: DroverWorld) {
  await this.useFreshStack({ bucket: true });
});

Given('a fresh installation on a PostgreSQL', async function (this: DroverWorld) {
  await this.useFreshStack({ postgres: true });
});

When('PostgreSQL is stopped', async function (this: DroverWorld) {
  await this.stack.database.must().pause();
});

When('PostgreSQL is started again', async function (this: DroverWorld) {
  await this.stack.database.must().resume();
});

When('Temporal is stopped', async function (this: DroverWorld) {
  await this.stack.temporal.stop();
});

/** Longer than the demo model takes to load. */
const ENGINE_LOAD_MS = 60_000;

When('the engine is killed', async function (this: DroverWorld) {
  await this.breakStack().killEngine();
});

When(
  'the engine is killed, and its pool is preloaded with another model',
  async function (this: DroverWorld) {
    const other = await this.breakStack().prepareEngine('demo');
    await this.stack.killEngine();
    await this.stack.pool.waitForState('backoff');
    const { status } = await this.tryPreload(other, ENGINE_LOAD_MS);
    assert.equal(status, 200);
  },
);

When('the API is killed and another one is started', async function (this: DroverWorld) {
  await this.stack.mustApi().program.kill('SIGKILL');
  await this.stack.startApi();
});

When('a second API is started', async function (this: DroverWorld) {
  await this.stack.startApi();
});

When('the node worker is killed', async function (this: DroverWorld) {
  await this.breakStack().mustNode().kill('SIGKILL');
});

Given('a fresh installation whose node worker leaves its engines', async function (this: DroverWorld) {
  await this.useFreshStack({ ...ONE_SLOT, onExit: 'leave' });
});

When('the node worker is told to end', async function (this: DroverWorld) {
  // It must end by itself: whoever waits for it would kill it.
  await this.breakStack().mustNode().kill('SIGTERM');
});

When('the node worker is started again', async function (this: DroverWorld) {
  await this.stack.startNode();
});

When('the node worker is killed and started again', async function (this: DroverWorld) {
  const stack = this.breakStack();
  await stack.mustNode().kill('SIGKILL');
  await stack.startNode();
});

Then('it has adopted the engine that ran before', async function (this: DroverWorld) {
  const { firstEnginePid, pool } = this.stack;
  assert.deepEqual([await pool.pid(), await pool.lives()], [firstEnginePid, true]);
});

When(
  'an API is started on {string} with the keys {string}',
  function (this: DroverWorld, host: string, keys: string) {
    this.startProgram((stack) => stack.apiProgram({ DROVER_API_HOST: host, DROVER_API_KEYS: keys }));
  },
);

Then(
  'it ends with exit code {int} and a line that names {string}',
  async function (this: DroverWorld, code: number, setting: string) {
    const program = this.lastProgram;
    assert.deepEqual(await program.waitForExit(), { code, signal: null });
    assert.match(program.lastWords, new RegExp(setting));
  },
);

Then('the line says {string}', function (this: DroverWorld, words: string) {
  assert.ok(this.lastProgram.lastWords.includes(words), this.lastProgram.lastWords);
});
