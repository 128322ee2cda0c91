/** Downloads of models as a scenario sees them: at the server that has the model, at the API, and in the model cache. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  download,
  downloadAnswer,
  downloadFrame,
  type Download,
  type DownloadFrame,
} from '../../contracts/download.js';
import { modelEntry } from '../../contracts/model.js';
import { eventually } from '../../testing/changes.js';
import type { Manners, ModelServer } from '../../testing/model-server.js';
import type { Answer } from './api-client.js';
import { HUB_TOKEN } from './stack.js';
import type { DroverWorld } from './world.js';

/** Large enough to be seen growing. */
const BYTES = 2_000_000;
const PIECES = 20;

/** Somebody who asked, and what he was told. */
interface Watcher {
  id: string;
  frames: Promise<DownloadFrame[]>;
}

/** Downloads of one scenario, all of one model. */
export class DownloadView {
  private content: Buffer = randomBytes(BYTES);
  private sha256 = '';
  private readonly watchers: Watcher[] = [];

  constructor(private readonly world: DroverWorld) {}

  /** Puts a model at the hub. @param manners - how it is sent */
  serve(ref: string, manners: Manners, content = this.content): void {
    const [org, repo, ...path] = ref.replace('hf:', '').split('/');
    this.content = content;
    this.sha256 = this.hub.put(`/${org}/${repo}/resolve/main/${path.join('/')}`, content);
    this.hub.behave(() => manners);
  }

  /** Sends it in pieces over so long. */
  serveSlowly(ref: string, seconds: number): void {
    this.serve(ref, { pauseMs: (seconds * 1000) / PIECES });
  }

  /** Puts the model of the pool at the hub. */
  async serveDemo(ref: string): Promise<void> {
    const { stack } = this.world;
    const { model_path } = stack.prepared ?? (await stack.prepareEngine());
    this.serve(ref, {}, await readFile(model_path));
  }

  /** Puts a model into the bucket of the installation. */
  async putInBucket(ref: string): Promise<void> {
    const path = this.world.stack.mustBucket().objectFile(ref.replace(/^s3:\/\/[^/]+\//, ''));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, this.content);
    this.sha256 = createHash('sha256').update(this.content).digest('hex');
  }

  /** Sends other bytes, and the digest that they should have. */
  serveGarbled(ref: string): void {
    this.serve(ref, {});
    this.hub.behave(() => ({ garbled: true, headers: { 'x-linked-etag': `"${this.sha256}"` } }));
  }

  /** Asks for a model and watches it from then on. */
  async ask(model_ref: string): Promise<void> {
    const { status, json, text } = await this.world.http.send('POST', '/v1/models/download', {
      body: { model_ref },
    });
    assert.equal(status, 200, text);
    const { download_id: id } = downloadAnswer.parse(json);
    const path = `/v1/models/download/progress?id=${encodeURIComponent(id)}`;
    const frames = this.world.client.request('GET', path).then(framesOf);
    frames.catch(() => undefined); // Told to whoever looks.
    this.watchers.push({ id, frames });
  }

  /** What the last watcher was told, to the end. */
  async told(): Promise<DownloadFrame[]> {
    return this.last.frames;
  }

  /** What every watcher was told. */
  toldAll(): Promise<DownloadFrame[][]> {
    return Promise.all(this.watchers.map(({ frames }) => frames));
  }

  get ids(): string[] {
    return this.watchers.map(({ id }) => id);
  }

  /** Tells the download of the last watcher. */
  async tell(what: string): Promise<void> {
    const { status, text } = await this.world.http.send('POST', `${this.path}/${what}`, { body: {} });
    assert.equal(status, 202, text);
  }

  /** Waits until the download is as wanted. */
  comesToBe(status: string): Promise<Download> {
    return this.until(`the download to be ${status}`, (now) => now.status === status);
  }

  /** Waits until so much of it is on the disk of the node. */
  async isThere(share: number): Promise<void> {
    await eventually(
      () => `${share} of the file`,
      async () => {
        const parts = await this.filesIn(join(this.world.stack.modelCache, '.drover', 'parts'));
        const sizes = await Promise.all(
          parts.map(async (file) => (await stat(file).catch(() => undefined))?.size ?? 0),
        );
        return sizes.some((size) => size >= BYTES * share) ? true : undefined;
      },
    );
  }

  /** The model stands where engines find it, byte for byte. */
  async assertInCache(): Promise<void> {
    const { local_path } = await this.comesToBe('completed');
    assert.ok((await readFile(local_path ?? '')).equals(this.content));
    assert.equal(local_path, join(this.world.stack.modelCache, this.modelId));
    assert.deepEqual(await this.filesIn(join(this.world.stack.modelCache, '.drover', 'parts')), []);
  }

  async assertNothingInCache(): Promise<void> {
    const { modelCache } = this.world.stack;
    assert.equal(existsSync(join(modelCache, this.modelId)), false);
    assert.deepEqual(await this.filesIn(join(modelCache, '.drover', 'parts')), []);
  }

  /** The catalogue says what it is, and that it is that. */
  async assertInCatalogue(): Promise<void> {
    const { json } = await this.world.http.send('GET', `/v2/catalog/models/${this.modelId}`);
    const { digest, manifests, verification } = modelEntry.parse(json);
    assert.equal(digest, `sha256:${this.sha256}`);
    assert.deepEqual(manifests, [{ digest, size_bytes: BYTES }]);
    assert.deepEqual(verification, { result: 'pass', reason: 'match', digest });
  }

  /** How often the hub was asked, each time with the node's token. */
  assertAsked(times: number): void {
    const { seen } = this.hub;
    assert.equal(seen.length, times, JSON.stringify(seen.map(({ url, range }) => [url, range])));
    assert.ok(seen.every(({ authorization }) => authorization === `Bearer ${HUB_TOKEN}`));
  }

  /** After the first request, each was for what was not there yet. */
  assertAskedForTheRest(): void {
    const [first, ...more] = this.hub.seen;
    assert.equal(first?.range, undefined);
    assert.ok(more.length > 0);
    for (const { range } of more) {
      const [, from] = /^bytes=(\d+)-$/.exec(range ?? '') ?? [];
      assert.ok(Number(from) >= BYTES / 3, `asked for ${range ?? 'all of it'}`);
    }
  }

  private get hub(): ModelServer {
    return this.world.stack.mustHub();
  }

  private get last(): Watcher {
    const last = this.watchers.at(-1);
    if (last === undefined) throw new Error('no model was asked for');
    return last;
  }

  private get path(): string {
    return `/v2/catalog/downloads/${encodeURIComponent(this.last.id)}`;
  }

  private get modelId(): string {
    return this.last.id.split(':').at(-1) ?? '';
  }

  private until(what: string, wanted: (now: Download) => boolean): Promise<Download> {
    let said = '';
    return eventually(
      () => `${what}: ${said}`,
      async () => {
        const { json, text } = await this.world.client.request('GET', this.path);
        said = text;
        const now = download.parse(json);
        return wanted(now) ? now : undefined;
      },
    );
  }

  private async filesIn(folder: string): Promise<string[]> {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  }
}

function framesOf({ status, text }: Answer): DownloadFrame[] {
  assert.equal(status, 200, text);
  const lines = text.split('\n').filter((line) => line.startsWith('data: '));
  assert.equal(lines.pop(), 'data: [DONE]');
  return lines.map((line) => downloadFrame.parse(JSON.parse(line.slice('data: '.length))));
}
