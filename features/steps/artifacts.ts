/** Documents are stored and read; tasks leave transcripts. */
import { Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { eventually } from '../../testing/changes.js';
import {
  asEvents,
  awaitRunEnd,
  awaitTranscript,
  digestOfJson,
  storeArtifact,
  storedArtifact,
  type FoundTranscript,
} from '../support/artifact-view.js';
import { PROGRAMS } from '../support/places.js';
import { ARTIFACT_PREFIX } from '../support/stack.js';
import type { DroverWorld } from '../support/world.js';

/** What a scenario has stored, or found, last. */
interface ArtifactWorld extends DroverWorld {
  posted?: string;
  stored?: string;
  transcript?: FoundTranscript;
}

When(/^the artifact (\{.*\}) is stored$/, async function (this: ArtifactWorld, text: string) {
  this.posted = text;
  await storeArtifact(this, text);
});

Then('the answer is 201 with the id of its canonical JSON', function (this: ArtifactWorld) {
  assert.equal(this.http.lookAt().status, 201);
  const { id, digest, kind } = storedArtifact(this);
  const expected = digestOfJson(JSON.parse(this.posted ?? ''));
  assert.deepEqual([id, digest, kind], [expected, `sha256:${expected}`, 'summary']);
  this.stored = id;
});

Then('the artifact is read there as it was posted', async function (this: ArtifactWorld) {
  const { status, text } = await this.client.request('GET', `/v2/artifacts/${this.stored ?? ''}`);
  assert.deepEqual([status, text], [200, JSON.stringify(JSON.parse(this.posted ?? ''))]);
});

Then('the answer is 201 with the same id as before', function (this: ArtifactWorld) {
  assert.deepEqual([this.http.lookAt().status, storedArtifact(this).id], [201, this.stored]);
});

Then('{string} comes to have a transcript', async function (this: ArtifactWorld, task: string) {
  this.transcript = await awaitTranscript(this, task);
});

Then(
  'its events are the frames of {string}, each with type and data, in order',
  function (this: ArtifactWorld, task: string) {
    assert.deepEqual(this.transcript?.events, asEvents(this.readers.of(task).frames));
  },
);

Then('there are {names} among them', function (this: ArtifactWorld, types: string[]) {
  const found = new Set(this.transcript?.events.map(({ type }) => type));
  assert.deepEqual(
    types.filter((type) => !found.has(type)),
    [],
  );
});

Then('its id is the SHA-256 of its canonical JSON', function (this: ArtifactWorld) {
  assert.equal(this.transcript?.id, digestOfJson(this.transcript?.document));
});

Then('it has {int} tokens', function (this: ArtifactWorld, count: number) {
  const tokens = this.transcript?.events.filter(({ type }) => type === 'end').map(({ data }) => data);
  assert.deepEqual(
    tokens?.map((data) => data['tokens_out']),
    [count],
  );
});

Then('it is the only object of the bucket, and sealed', async function (this: ArtifactWorld) {
  const bucket = this.stack.mustBucket();
  assert.deepEqual(await bucket.objects(ARTIFACT_PREFIX), [this.stored]);
  const object = await readFile(bucket.objectFile(`${ARTIFACT_PREFIX}/${this.stored ?? ''}`));
  assert.ok(object.length > 0);
  assert.equal(object.includes('summary'), false);
});

Then('the bucket comes to be empty', async function (this: ArtifactWorld) {
  const objects = () => this.stack.mustBucket().objects(ARTIFACT_PREFIX);
  await eventually(
    () => 'the bucket to be empty',
    async () => ((await objects()).length === 0 ? true : undefined),
  );
});

When('the S3 server is stopped', async function (this: ArtifactWorld) {
  await this.stack.mustBucket().stop();
});

When('the S3 server is started again', async function (this: ArtifactWorld) {
  await this.stack.mustBucket().resume();
});

When('a control worker is started that forgets at once', async function (this: ArtifactWorld) {
  const env = { DROVER_ARTIFACT_RETENTION_MS: '1', DROVER_ARTIFACT_SWEEP_INTERVAL_MS: '100' };
  this.startProgram((stack) => stack.program('control-sweeper', PROGRAMS.control, env));
  await this.lastProgram.waitForLog('a sweep', ({ event }) => event === 'artifacts_forgotten');
});

When(
  'an API is started whose artifacts shall stand in {string}',
  function (this: ArtifactWorld, place: string) {
    this.startProgram((stack) => stack.apiProgram({ DROVER_ARTIFACT_DIR: place }));
  },
);

When('the API is killed', async function (this: DroverWorld) {
  await this.stack.mustApi().program.kill('SIGKILL');
});

When('the run of {string} has ended on its node', async function (this: DroverWorld, task: string) {
  await awaitRunEnd(this, task);
});

When('another API is started', async function (this: DroverWorld) {
  await this.stack.startApi();
});
