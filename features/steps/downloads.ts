/** Models that nodes fetch. */
import { Before, Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { poolHealth } from '../../contracts/pool.js';
import { DownloadView } from '../support/download-view.js';
import { POOL, PRELOAD_WAIT_MS } from '../support/engines.js';
import type { DroverWorld } from '../support/world.js';

/** What a scenario has fetched. */
interface DownloadWorld extends DroverWorld {
  downloads: DownloadView;
}

Before(function (this: DownloadWorld) {
  this.downloads = new DownloadView(this);
});

Given('a fresh installation that fetches its models from a hub', async function (this: DownloadWorld) {
  await this.useFreshStack({ preload: false, hub: true });
});

Given(
  'the hub has {string}, which takes {int} seconds',
  function (this: DownloadWorld, ref: string, seconds: number) {
    this.downloads.serveSlowly(ref, seconds);
  },
);

When('the hub has {string}, and sends something else', function (this: DownloadWorld, ref: string) {
  this.downloads.serveGarbled(ref);
});

When('{string} is asked for, and somebody watches', async function (this: DownloadWorld, ref: string) {
  await this.downloads.ask(ref);
});

When('a third of it is there', async function (this: DownloadWorld) {
  await this.downloads.isThere(1 / 3);
});

When('an operator would {string} it', async function (this: DownloadWorld, what: string) {
  await this.downloads.tell(what);
});

Then('the download comes to be {string}', async function (this: DownloadWorld, status: string) {
  await this.downloads.comesToBe(status);
});

Then(
  'both are the same download, and both have seen it grow until it was complete',
  async function (this: DownloadWorld) {
    assert.equal(new Set(this.downloads.ids).size, 1);
    for (const frames of await this.downloads.toldAll()) {
      const last = frames.pop();
      assert.equal(last?.stage, 'complete');
      const bytes = frames.map((frame) => (frame.stage === 'downloading' ? frame.bytes_downloaded : -1));
      assert.ok(new Set(bytes).size > 1, `it was seen at ${bytes.join(', ')}`);
      assert.deepEqual(
        bytes,
        bytes.toSorted((a, b) => a - b),
      );
      assert.ok(!bytes.includes(-1));
    }
  },
);

Then('it is complete at once, and the hub was asked once', async function (this: DownloadWorld) {
  const frames = await this.downloads.told();
  assert.deepEqual(
    frames.map(({ stage }) => stage),
    ['complete'],
  );
  this.downloads.assertAsked(1);
});

Then('the hub was asked once, with the token of the node', function (this: DownloadWorld) {
  this.downloads.assertAsked(1);
});

Then('the hub was asked {int} times', function (this: DownloadWorld, times: number) {
  this.downloads.assertAsked(times);
});

Then('the hub was asked for the rest alone', function (this: DownloadWorld) {
  this.downloads.assertAskedForTheRest();
});

Then('the model stands in the cache as the hub has it', async function (this: DownloadWorld) {
  await this.downloads.assertInCache();
});

Then('the catalogue has it with its digest and size, as verified', async function (this: DownloadWorld) {
  await this.downloads.assertInCatalogue();
});

Then('nothing of it is left in the cache', async function (this: DownloadWorld) {
  await this.downloads.assertNothingInCache();
});

Then('the watcher was told {string} at last', async function (this: DownloadWorld, code: string) {
  const last = (await this.downloads.told()).at(-1);
  assert.ok(last?.stage === 'error', JSON.stringify(last));
  assert.equal(last.code, code);
});

Given('the hub has the demo model as {string}', async function (this: DownloadWorld, ref: string) {
  await this.downloads.serveDemo(ref);
});

Given('its bucket has {string}', async function (this: DownloadWorld, ref: string) {
  await this.downloads.putInBucket(ref);
});

When('the pool is reloaded with {string}', async function (this: DownloadWorld, new_model_ref: string) {
  const body = { new_model_ref, wait_ms: PRELOAD_WAIT_MS };
  await this.http.send('POST', `/v2/pools/${POOL}/reload`, { body });
});

Then('the pool serves {string}', async function (this: DownloadWorld, ref: string) {
  const { json } = await this.http.send('GET', `/v2/pools/${POOL}/health`);
  const { model_ref, ready } = poolHealth.parse(json);
  assert.deepEqual([model_ref, ready], [ref, true]);
});
