/** What an installation says that it can do. */
import { Then } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { buildVersion, capabilities } from '../../contracts/meta.js';
import type { DroverWorld } from '../support/world.js';

const enginesOf = (json: unknown) => capabilities.parse(json).engines.map(({ engine }) => engine);

Then('{string} is answered again with the same body', async function (this: DroverWorld, request: string) {
  const before = this.http.lookAt().text;
  const { status, text } = await this.http.ask(request);
  assert.deepEqual([status, text], [200, before]);
});

Then(
  '{string} comes to list the engine {string}',
  async function (this: DroverWorld, request: string, engine: string) {
    await this.http.askUntil(request, ({ json }) => enginesOf(json).length > 0);
    assert.deepEqual(enginesOf(this.http.lookAt().json), [engine]);
  },
);

Then('{string} comes to list no engine', async function (this: DroverWorld, request: string) {
  await this.http.askUntil(request, ({ json }) => enginesOf(json).length === 0);
  assert.deepEqual(enginesOf(this.http.lookAt().json), []);
});

Then('the version is that of the package, built from a commit', async function (this: DroverWorld) {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  const told = buildVersion.parse(this.http.lookAt().json);
  assert.equal(told.version, version);
  assert.match(told.build_commit ?? '', /^[0-9a-f]{40}$/);
  assert.ok(Number.isFinite(Date.parse(told.build_time ?? '')));
});
