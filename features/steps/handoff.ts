/** Engines that somebody else starts and announces, and handoffs that nobody can use. */
import { type DataTable, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { workerRegistered } from '../../contracts/worker.js';
import { builtFakeEngine } from '../../testing/built-fake-engine.js';
import { eventually } from '../../testing/changes.js';
import { freePort } from '../../testing/free-port.js';
import { Program } from '../../testing/program.js';
import { logLine, logLines } from '../support/logs.js';
import { NamedPool } from '../support/named-pool.js';
import { theRun } from '../support/run.js';
import type { DroverWorld } from '../support/world.js';

const ANNOUNCED = 'announced.json';

async function startTheirs(world: DroverWorld): Promise<void> {
  const [command, port] = [await builtFakeEngine(), await freePort()];
  const logFile = join(theRun().folders.logs, `${world.stack.name}-others.log`);
  world.startProgram(
    () => new Program({ name: 'their engine', command, args: ['--port', String(port)], env: {}, logFile }),
  );
  world.othersUrl = `http://127.0.0.1:${port}`;
}

function folder(world: DroverWorld): string {
  return dirname(world.stack.pool.handoffPath);
}

async function write(world: DroverWorld, name: string, text: string): Promise<void> {
  await mkdir(folder(world), { recursive: true });
  await writeFile(join(folder(world), name), text);
}

When(
  'an engine of somebody else is announced for the pool {string} with the version {string} and the model {string}',
  async function (this: DroverWorld, pool_id: string, engine_version: string, model: string) {
    await startTheirs(this);
    const told = { url: this.othersUrl, pool_id, engine_version, model: { id: model }, ctx_max: 1024 };
    await write(this, ANNOUNCED, JSON.stringify(told));
  },
);

When(
  'its engine is announced for the pool {string} too, as one of the kind {string}',
  async function (this: DroverWorld, pool_id: string, engine: string) {
    const { prepared } = this.stack;
    const url = `http://127.0.0.1:${prepared?.port ?? 0}`;
    const told = { url, pool_id, engine, model: { id: 'theirs' }, ctx_max: 4096, slots_total: 1 };
    await write(this, ANNOUNCED, JSON.stringify(told));
  },
);

When('an engine of somebody else runs', async function (this: DroverWorld) {
  await startTheirs(this);
  await eventually(
    () => 'their engine to answer',
    async () => (await fetch(`${this.othersUrl}/health`).catch(() => undefined))?.ok || undefined,
  );
});

When(
  'it registers for the pool {string} with the version {string} and the model {string}',
  async function (this: DroverWorld, pool_id: string, engine_version: string, model_ref: string) {
    const headers = { authorization: `Bearer ${this.stack.nodeToken}` };
    const body = { pool_id, engine_version, model_ref, url: this.othersUrl, ctx_max: 1024 };
    await this.http.send('POST', '/v2/workers/register', { body, headers, key: null });
  },
);

Then('it is registered and bound', function (this: DroverWorld) {
  const { status, json } = this.http.lookAt();
  const { ok, bound, replica_id } = workerRegistered.parse(json);
  assert.deepEqual([status, ok, bound, replica_id], [200, true, true, 'r0']);
});

When('these handoffs are written:', async function (this: DroverWorld, table: DataTable) {
  for (const [name, text] of Object.entries(table.rowsHash())) await write(this, name, text);
});

When('that engine is ended and its handoff removed', async function (this: DroverWorld) {
  await this.lastProgram.kill('SIGKILL');
  await rm(join(folder(this), ANNOUNCED));
});

Then(
  'the pool {string} comes to be ready with the version {string} at that engine',
  async function (this: DroverWorld, poolId: string, version: string) {
    const status = await new NamedPool(this.stack, poolId).until(({ ready }) => ready);
    assert.deepEqual([status.live, status.engine_version], [true, version]);
    const { url } = await logLine(this.stack.mustNode(), { event: 'handoff_bound', pool_id: poolId });
    assert.equal(url, this.othersUrl);
  },
);

Then(
  'the node has told the binding of {string} as {string}, with its replica and its url',
  async function (this: DroverWorld, pool_id: string, action: string) {
    const line = await logLine(this.stack.mustNode(), { event: 'handoff_bound', pool_id });
    const { level, replica_id, url, actor, target, human } = line;
    assert.deepEqual([level, replica_id, url], ['info', 'r0', this.othersUrl]);
    assert.deepEqual([actor, line['action'], target], ['node', action, pool_id]);
    assert.ok(String(human).length > 0 && String(human).length <= 100, String(human));
  },
);

Then(
  "what the node has told of {string} has two ids, which are no request's",
  function (this: DroverWorld, pool_id: string) {
    const ids = ['handoff_bound', 'handoff_unbound'].map(
      (event) => logLines(this.stack.mustNode(), { event, pool_id })[0]?.['correlation_id'],
    );
    for (const id of ids) assert.match(String(id), /^[\da-f]{8}-/);
    assert.notEqual(ids[0], ids[1]);
  },
);

Then(
  'each of these says that {string} emitted it, and when, in their order',
  function (this: DroverWorld, by: string) {
    const told = logLines(this.stack.mustNode(), {}).filter(({ human }) => typeof human === 'string');
    assert.ok(told.length > 0);
    for (const { emitted_by } of told)
      assert.match(String(emitted_by), new RegExp(`^${by}@\\d+\\.\\d+\\.\\d+$`));
    const times = told.map(({ emitted_at_ms }) => Number(emitted_at_ms));
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.ok(times.every((at) => Math.abs(at - Date.now()) < 300_000));
  },
);

Then('the node has warned once of each of {string}', async function (this: DroverWorld, names: string) {
  for (const file of names.split(', ')) {
    const { level } = await logLine(this.stack.mustNode(), { event: 'handoff_skipped', file });
    assert.equal(level, 'warn');
    assert.equal(logLines(this.stack.mustNode(), { event: 'handoff_skipped', file }).length, 1);
  }
});

When('the API comes to show the pool {string} as ready', async function (this: DroverWorld, poolId: string) {
  await this.http.askUntil(
    `GET /v2/pools/${poolId}/health`,
    ({ json }) => (json as { ready?: boolean }).ready === true,
  );
});

Then(
  'the node has counted the handoffs that came to be:',
  async function (this: DroverWorld, table: DataTable) {
    for (const [outcome, count] of Object.entries(table.rowsHash())) {
      const counted = () => this.operator.meter.nodeGauge('pool_handoff_files_processed_total', { outcome });
      await eventually(
        () => `${count} handoffs ${outcome}`,
        async () => ((await counted()) === Number(count) ? true : undefined),
      );
    }
  },
);
