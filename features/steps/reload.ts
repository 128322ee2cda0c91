/** Models of pools are exchanged. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { eventually } from '../../testing/changes.js';
import { isAlive } from '../../testing/processes.js';
import type { SseFrame } from '../support/event-reader.js';
import { bytesFrom, orderProblems } from '../support/stream-checks.js';
import { ENDLESS } from '../support/task-book.js';
import type { DroverWorld } from '../support/world.js';

/** Longer than any reload of these scenarios. */
const RELOAD_WAIT_MS = 60_000;

const readerNames = (count: number) => Array.from({ length: count }, (_, index) => `reader-${index}`);

/** A slow reader may lose them, and on a busy machine any reader is slow. */
const withoutMetrics = ({ frames }: { frames: readonly SseFrame[] }) =>
  frames.filter(({ event }) => event !== 'metrics');

async function reload(world: DroverWorld, body: object, pool = 'default'): Promise<void> {
  await world.http.send('POST', `/v2/pools/${pool}/reload`, { body: { wait_ms: RELOAD_WAIT_MS, ...body } });
}

/** A launch of the pool's engine that answers health with 503 for ever. */
async function neverHealthy(world: DroverWorld) {
  return world.stack.prepareFakeEngine(['--never-ready']);
}

When(
  'the pool is reloaded with the model {string} as the version {string}, without waiting',
  async function (this: DroverWorld, model: 'demo' | 'slow', engine_version: string) {
    const prepared = { ...(await this.stack.prepareEngine(model)), engine_version };
    await reload(this, { prepared, wait_ms: 0 });
  },
);

When(
  'the pool is reloaded with the same model as the version {string}, without waiting',
  async function (this: DroverWorld, engine_version: string) {
    const prepared = { ...(await this.stack.prepareEngine()), engine_version };
    await reload(this, { prepared, wait_ms: 0 });
  },
);

When(
  'the pool is reloaded with an engine that becomes healthy after {int} ms, without waiting',
  async function (this: DroverWorld, ms: number) {
    const fake = await this.stack.prepareFakeEngine(['--ready-after-ms', String(ms)]);
    await reload(this, { prepared: { ...fake, engine_version: 'second' }, wait_ms: 0 });
  },
);

When(
  'the pool is reloaded with an engine that never becomes healthy, for {int} ms',
  async function (this: DroverWorld, health_timeout_ms: number) {
    await reload(this, { prepared: await neverHealthy(this), health_timeout_ms, strategy: 'beside' });
  },
);

When(
  'the pool is reloaded in place with an engine that never becomes healthy, for {int} ms',
  async function (this: DroverWorld, health_timeout_ms: number) {
    await reload(this, { prepared: await neverHealthy(this), health_timeout_ms, strategy: 'in_place' });
  },
);

When(
  'the pool is reloaded with the model reference {string}',
  async function (this: DroverWorld, new_model_ref: string) {
    await reload(this, { new_model_ref });
  },
);

When(
  'the pool {string} is reloaded with the model reference {string}',
  async function (this: DroverWorld, pool: string, new_model_ref: string) {
    await reload(this, { new_model_ref }, pool);
  },
);

Given('a fresh installation whose engine has {int} slots', async function (this: DroverWorld, slots: number) {
  await this.useFreshStack({ slots, ctx: 2048 });
});

Given(
  '{int} tasks of {int} tokens are posted, each with a reader that gets {int} tokens',
  async function (this: DroverWorld, count: number, max_tokens: number, first: number) {
    for (const name of readerNames(count)) {
      await this.tasks.admit(name, { ...ENDLESS, max_tokens });
      await this.readers.open(name);
    }
    await Promise.all(readerNames(count).map((name) => this.readers.of(name).waitForTokens(first)));
  },
);

Then('some of the {int} tasks still run', function (this: DroverWorld, count: number) {
  assert.ok(readerNames(count).some((name) => this.readers.of(name).lastFrame?.event !== 'end'));
});

Then(
  'each of the {int} readers gets {int} tokens, and what the run log of its task holds, byte for byte',
  { timeout: 120_000 },
  async function (this: DroverWorld, count: number, tokens: number) {
    for (const name of readerNames(count)) {
      const live = this.readers.of(name);
      const end = await live.waitForClose(100_000);
      assert.deepEqual([end?.event, end?.data['tokens_out'], orderProblems(live)], ['end', tokens, []], name);
      const logged = await this.readers.readToEnd(name, {}, `log of ${name}`);
      assert.equal(bytesFrom(withoutMetrics(live)), bytesFrom(withoutMetrics(logged)), name);
    }
  },
);

When('the pool comes to serve the version {string}', async function (this: DroverWorld, version: string) {
  await this.stack.pool.waitForVersion(version);
});

Then('the reload comes to an end, and only the second engine is left', async function (this: DroverWorld) {
  const { temporal } = this.operator;
  await eventually(
    () => 'the reload to end',
    async () => (await temporal.describe('pool:default:reload')).status.name === 'COMPLETED' || undefined,
  );
  const { pool, firstEnginePid } = this.stack;
  assert.ok(firstEnginePid !== undefined && !isAlive(firstEnginePid), 'the first engine lives');
  assert.deepEqual([await pool.lives(), await pool.recordedEngines()], [true, ['default.spawn.json']]);
  assert.equal((await pool.handoff()).engine_version, 'second');
});

Then('the pool is ready with the first engine, and only that is left', async function (this: DroverWorld) {
  const { pool, firstEnginePid, engineVersion } = this.stack;
  const { state, engine_version } = await pool.status();
  assert.deepEqual([state, engine_version, await pool.pid()], ['ready', engineVersion, firstEnginePid]);
  assert.deepEqual([await pool.lives(), await pool.recordedEngines()], [true, ['default.spawn.json']]);
});

Then('the pool is ready with the first version, on another process', async function (this: DroverWorld) {
  const { pool, firstEnginePid, engineVersion } = this.stack;
  const { state, engine_version } = await pool.status();
  assert.deepEqual([state, engine_version, await pool.lives()], ['ready', engineVersion, true]);
  assert.notEqual(await pool.pid(), firstEnginePid);
  assert.deepEqual(await pool.recordedEngines(), ['default.spawn.json']);
});
