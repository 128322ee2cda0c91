/** Pools are loaded, or fail to be. */
import { Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { handoff } from '../../contracts/handoff.js';
import { logLine } from '../support/logs.js';
import type { DroverWorld } from '../support/world.js';

const PRELOAD = 'pool:default:preload';

When('the pool is preloaded', async function (this: DroverWorld) {
  await this.stack.preload();
});

When(
  'the pool is preloaded with the correlation id {string}',
  async function (this: DroverWorld, correlationId: string) {
    await this.stack.preload({ 'x-correlation-id': correlationId });
  },
);

When(
  'a preload is tried of an engine that stays in loading, for {int} ms',
  async function (this: DroverWorld, limitMs: number) {
    await this.tryPreload(await this.stack.prepareFakeEngine(['--never-ready']), limitMs);
  },
);

When(
  'a preload is tried of an engine that ends at its start with code {int}, for {int} ms',
  async function (this: DroverWorld, code: number, limitMs: number) {
    await this.tryPreload(await this.stack.prepareFakeEngine(['--exit-at-start', String(code)]), limitMs);
  },
);

// Success

Then(
  'the preload has answered with the pool, the pid of the engine and the path of its handoff',
  async function (this: DroverWorld) {
    const { pool, preloaded } = this.stack;
    const expected = { pool_id: 'default', pid: await pool.pid(), handoff_path: pool.handoffPath };
    assert.deepEqual([preloaded, await pool.lives()], [expected, true]);
  },
);

Then(
  "the engine's process was started from the binary with all flags, in order",
  async function (this: DroverWorld) {
    const { prepared, pool } = this.stack;
    if (prepared === undefined) throw new Error('nothing was preloaded');
    const described = [prepared.binary_path, ...prepared.flags];
    const started = await pool.commandLine();
    assert.deepEqual(started.slice(0, described.length), described);
    // Behind them only who it is as a worker, where it can be one.
    const names = started.slice(described.length).filter((_, index) => index % 2 === 0);
    const ofWorkers = ['--worker-id', '--callback-url', '--model-ref', '--backend'];
    assert.deepEqual(names, prepared.provisioning_mode === 'package' ? ofWorkers : []);
  },
);

Then(
  'its output is in {string}, its pid in {string}',
  async function (this: DroverWorld, log: string, pid: string) {
    const { pool, preloaded } = this.stack;
    assert.deepEqual(
      [existsSync(pool.file(log)), existsSync(pool.file(pid)), await pool.pid()],
      [true, true, preloaded?.pid],
    );
  },
);

Then(
  'the node has logged the preload with its pid, its url and how long it took',
  async function (this: DroverWorld) {
    const { pid, url, duration_ms } = await logLine(this.stack.mustNode(), {
      event: 'pool_ready',
      pool_id: 'default',
    });
    const { url: served } = await this.stack.pool.handoff();
    assert.deepEqual([pid, url, typeof duration_ms], [this.stack.preloaded?.pid, served, 'number']);
  },
);

Then(
  'the handoff of the shared pool is indented JSON, and holds what was prepared',
  async function (this: DroverWorld) {
    const { pool, prepared } = this.stack;
    const text = await pool.handoffText();
    const told = handoff.parse(JSON.parse(text));
    assert.match(text, /^\{\n {2}"/);
    const { engine, engine_version, pool_id, replica_id, flags, url } = told;
    assert.deepEqual(
      { engine, engine_version, pool_id, replica_id, flags, url, path: told.model.path },
      {
        engine: 'llamacpp',
        engine_version: this.stack.engineVersion,
        pool_id: 'default',
        replica_id: 'r0',
        flags: prepared?.flags,
        url: `http://${told.host}:${told.port}`,
        path: prepared?.model_path,
      },
    );
  },
);

// Failure

Then(
  'nothing is left of the engine: no process, no pid file, no handoff',
  async function (this: DroverWorld) {
    assert.deepEqual(await this.stack.pool.left(), []);
  },
);

Then(
  'the pool is {string}, not ready, and its last error has {string}',
  async function (this: DroverWorld, state: string, words: string) {
    const status = await this.stack.pool.status();
    assert.deepEqual([status.state, status.ready], [state, false]);
    assert.ok(status.last_error?.includes(words), JSON.stringify(status));
  },
);

Then('the answer came within {int} s', function (this: DroverWorld, seconds: number) {
  assert.ok(this.http.lookAt().tookMs < seconds * 1000);
});

Then(
  'the history of the preload has the activities {names}',
  async function (this: DroverWorld, names: string[]) {
    assert.deepEqual(await this.operator.temporal.activitiesOf(PRELOAD), names);
  },
);

Then('it failed with the type {string}', async function (this: DroverWorld, type: string) {
  assert.deepEqual((await this.operator.temporal.failureOf(PRELOAD)).type, type);
});

// Shown

Then(
  '{string} comes to answer with "ready" false, "live" false and a "last_error"',
  async function (this: DroverWorld, request: string) {
    await this.http.askUntil(request, ({ json }) => (json as { ready?: boolean }).ready === false);
    const { status, json } = this.http.lookAt();
    const { ready, live, last_error } = json as Record<string, unknown>;
    assert.deepEqual([status, ready, live, typeof last_error], [200, false, false, 'string']);
  },
);
