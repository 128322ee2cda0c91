/** How preloads end, as the node, the API, the log and the history tell it. */
import { type DataTable, Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { poolHealth } from '../../contracts/pool.js';
import { isAlive } from '../../testing/processes.js';
import { fullLaunch, LaunchedEngine } from '../support/full-launch.js';
import { logLine, logLines } from '../support/logs.js';
import { PreloadView } from '../support/preload-view.js';
import type { DroverWorld } from '../support/world.js';

const PRELOAD = 'pool:default:preload';
const HEALTH = 'GET /v2/pools/default/health';
const PATIENT_MS = 60_000;

function launched(world: DroverWorld): LaunchedEngine {
  const { prepared } = world.stack;
  assert.ok(prepared);
  return new LaunchedEngine(prepared, world.http.lookAt());
}

/** The pool as the API shows it, once it shows the state. */
async function shown(world: DroverWorld, state: string, words: string) {
  const isSo = (json: unknown): boolean => {
    const told = poolHealth.safeParse(json);
    return told.success && told.data.state === state && (told.data.last_error ?? '').includes(words);
  };
  await world.http.askUntil(HEALTH, ({ json }) => isSo(json));
  return poolHealth.parse(world.http.lookAt().json);
}

Given("the folder of the node's records cannot be used", async function (this: DroverWorld) {
  const folder = dirname(this.stack.pool.file('any'));
  await rm(folder, { recursive: true, force: true });
  await writeFile(folder, 'no folder');
});

When('a launch is preloaded that gives every field', async function (this: DroverWorld) {
  this.stack.prepared = await fullLaunch(this.stack);
  const { status, text } = await this.tryPreload(this.stack.prepared, PATIENT_MS);
  assert.equal(status, 200, text);
});

When(
  'a preload is tried of an engine whose cache is larger than any memory',
  async function (this: DroverWorld) {
    const fake = await this.stack.prepareFakeEngine([]);
    await this.tryPreload({ ...fake, slots_total: 1024, ctx_max: 1_000_000_000 }, PATIENT_MS);
  },
);

Then(
  'the preload has answered with its pool, the pid of its process and a handoff named {string}',
  function (this: DroverWorld, name: string) {
    const { pool_id, pid, handoff_path } = launched(this).result;
    assert.deepEqual(
      [pool_id, isAlive(Number(pid)), basename(String(handoff_path))],
      ['default', true, name],
    );
  },
);

Then(
  'the process was started from the binary, with the flags and the environment of the launch',
  async function (this: DroverWorld) {
    const engine = launched(this);
    const { prepared } = this.stack;
    // The fake is a script: its interpreter stands before it.
    const [, ...commandLine] = await engine.commandLine();
    assert.deepEqual(commandLine, [prepared?.binary_path, ...(prepared?.flags ?? [])]);
    const { env } = await engine.seen();
    assert.deepEqual([env['DROVER_TEST_GREETING'], env['CUDA_VISIBLE_DEVICES']], ['hello', '0,1']);
  },
);

Then('it was asked for its health where the launch says', async function (this: DroverWorld) {
  assert.deepEqual((await launched(this).seen()).polls, []); // Of `/health`, which the launch does not name.
});

Then('the handoff and the pool tell what else the launch says', async function (this: DroverWorld) {
  const engine = launched(this);
  const told = await engine.handoff();
  assert.deepEqual({ ...told, ...engine.as(told) }, told);
  assert.deepEqual(told.model, { id: 'full', path: this.stack.prepared?.model_path });
  const status = await this.stack.pool.status();
  assert.deepEqual({ ...status, ...engine.as(status) }, status);
});

Then(
  'node and API show the pool as {string}, not ready, with a last error that has {string}',
  async function (this: DroverWorld, state: string, words: string) {
    const health = await shown(this, state, words);
    const status = await this.stack.pool.status();
    for (const { ready, live, last_error } of [health, status])
      assert.deepEqual([ready, live, last_error], [false, false, status.last_error]);
    assert.deepEqual([status.state, status.last_error?.includes(words)], [state, true]);
  },
);

Then(
  'node and API show the pool as {string}, with no error',
  async function (this: DroverWorld, state: string) {
    const health = await shown(this, state, '');
    for (const { ready, live, last_error } of [health, await this.stack.pool.status()])
      assert.deepEqual([ready, live, last_error], [true, true, null]);
  },
);

Then(
  'the step {string} of the preload was tried {int} times',
  async function (this: DroverWorld, name: string, times: number) {
    assert.equal(await this.operator.temporal.lastAttemptOf(PRELOAD, name), times);
  },
);

Then('the node has logged these moves of the pool:', async function (this: DroverWorld, table: DataTable) {
  const node = this.stack.mustNode();
  const [, last = ''] = table.raw().at(-1) ?? [];
  await logLine(node, { event: 'pool_state', state: last });
  const lines = logLines(node, { event: 'pool_state', pool_id: 'default' });
  assert.deepEqual(
    lines.map(({ from, state }) => [from, state]),
    table.raw(),
  );
});

Then('the time of the last one is the one that is shown', async function (this: DroverWorld) {
  const last = logLines(this.stack.mustNode(), { event: 'pool_state' }).at(-1);
  const { changed_at_ms } = await this.stack.pool.status();
  assert.equal(last?.['changed_at_ms'], changed_at_ms);
});

Then('the node has logged that its registry cannot be used', async function (this: DroverWorld) {
  const { pool_id, level } = await logLine(this.stack.mustNode(), { event: 'registry_unavailable' });
  assert.deepEqual([pool_id, level], ['default', 'error']);
});

Then('no engine was started', async function (this: DroverWorld) {
  assert.deepEqual(await new PreloadView(this.stack).engines(), []);
});
