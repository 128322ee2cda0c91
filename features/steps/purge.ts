/** Pools are purged. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { operation } from '../../contracts/operation.js';
import type { DroverWorld } from '../support/world.js';

const purge = (world: DroverWorld, pool: string, body: object) =>
  world.http.send('POST', `/v2/pools/${pool}/purge`, { body });

const workDir = ({ stack }: DroverWorld) => stack.pool.file(join('work', 'default-r0'));

Given(
  'a fresh installation whose node has the pool {string} too',
  async function (this: DroverWorld, nodePools: string) {
    await this.useFreshStack({ nodePools });
  },
);

Given('the models {names} are saved', async function (this: DroverWorld, ids: string[]) {
  for (const id of ids) await this.http.send('POST', '/v2/catalog/models', { body: { id } });
});

Given('the engine has left a file in its working directory', async function (this: DroverWorld) {
  await writeFile(join(workDir(this), 'left'), 'a cache');
});

When(
  'the pool {string} is purged with its engine, its directories and no models',
  async function (this: DroverWorld, pool: string) {
    await purge(this, pool, { purge_engine: true, delete_cache_dirs: true });
  },
);

When(
  'the pool {string} is purged with its engine and the models {names}',
  async function (this: DroverWorld, pool: string, purge_models: string[]) {
    await purge(this, pool, { purge_engine: true, purge_models });
  },
);

Then('the operation comes to be {string}', async function (this: DroverWorld, wanted: string) {
  const { href } = this.http.lookAt().json as { href: string };
  await this.http.askUntil(`GET ${href}`, ({ json }) => operation.parse(json).status === wanted);
});

Then('nothing is left of its working directory', function (this: DroverWorld) {
  assert.equal(existsSync(workDir(this)), false);
});

Then('the workflow {string} has come to its end', async function (this: DroverWorld, workflowId: string) {
  await this.operator.temporal.waitForEnd(workflowId);
});

Then('the model cache has no file {string}', function (this: DroverWorld, name: string) {
  assert.equal(existsSync(join(this.stack.modelCache, name)), false);
});
