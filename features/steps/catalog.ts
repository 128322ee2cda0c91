/** Models of the catalogue, and their files. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { modelEntry } from '../../contracts/model.js';
import { poolHealth } from '../../contracts/pool.js';
import type { DroverWorld } from '../support/world.js';

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

Given(
  'the model cache has a file {string} that says {string}',
  async function (this: DroverWorld, name: string, text: string) {
    await mkdir(this.stack.modelCache, { recursive: true });
    await writeFile(join(this.stack.modelCache, name), text);
  },
);

When('the model {string} is saved', async function (this: DroverWorld, id: string) {
  await this.http.send('POST', '/v2/catalog/models', { body: { id } });
});

When(
  'the model {string} with the digest of {string} is saved',
  async function (this: DroverWorld, id: string, text: string) {
    await this.http.send('POST', '/v2/catalog/models', { body: { id, digest: digestOf(text) } });
  },
);

When(
  'the model {string} is retired with a deadline of {int} ms',
  async function (this: DroverWorld, id: string, deadline_ms: number) {
    const body = { state: 'Retired', deadline_ms };
    await this.http.send('POST', `/v2/catalog/models/${id}/state`, { body });
  },
);

Then('the catalogue comes to have the model {string} again', async function (this: DroverWorld, id: string) {
  await this.http.askUntil(`GET /v2/catalog/models/${id}`, ({ status }) => status === 200);
});

Then(
  'it names the digest of {string}, and when that was verified',
  function (this: DroverWorld, text: string) {
    const { digest, last_verified_ms, created_ms } = modelEntry.parse(this.http.lookAt().json);
    assert.equal(digest, digestOf(text));
    assert.ok(last_verified_ms !== null && last_verified_ms >= created_ms);
  },
);

Then('the pool {string} comes to be offline and not ready', async function (this: DroverWorld, pool: string) {
  await this.http.askUntil(`GET /v2/pools/${pool}/health`, ({ json }) => {
    const { state, ready } = poolHealth.parse(json);
    return state === 'offline' && !ready;
  });
});
