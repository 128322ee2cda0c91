/** Keys: made, shown, revoked; and those in a file. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { FileKeyApi } from '../support/file-key-api.js';
import { logFilesHolding } from '../support/logs.js';
import { theRun } from '../support/run.js';
import type { DroverWorld } from '../support/world.js';

When(
  'a key for {string} is made, of the role {string}',
  async function (this: DroverWorld, name: string, role: string) {
    await this.keys.make(name, role);
  },
);

When(
  '{string} is requested with the key of {string}',
  async function (this: DroverWorld, request: string, name: string) {
    await this.http.ask(request, { key: this.keys.of(name).key });
  },
);

When('the key of {string} is revoked', async function (this: DroverWorld, name: string) {
  await this.keys.revoke(name);
});

Then('no log of the stack holds the key of {string}', async function (this: DroverWorld, name: string) {
  const { key } = this.keys.of(name);
  assert.deepEqual(await logFilesHolding(theRun().folders.logs, this.stack.name, [key]), []);
});

Given(
  'a second API, whose keys stand in a file that holds {string}',
  async function (this: DroverWorld, keys: string) {
    const { stack } = this;
    this.fileKeys = await FileKeyApi.start(stack, keys, (program) => this.startProgram(() => program));
  },
);

When(
  'the file comes to hold {string}, and the API is told so',
  async function (this: DroverWorld, keys: string) {
    await this.fileKeys?.change(keys.replaceAll('\\n', '\n'));
  },
);

Then(
  '{string} is answered with {int} to the bearer {string}',
  async function (this: DroverWorld, request: string, status: number, bearer: string) {
    assert.equal(await this.fileKeys?.status(request, bearer), status);
  },
);
