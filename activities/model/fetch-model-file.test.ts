import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { eventually } from '../../testing/changes.js';
import { nodeMetrics } from '../../workers/node/prometheus.js';
import { MODEL, MODEL_PATH, modelNode, type ModelNode } from '../../testing/model-node.js';

const CONTENT = randomBytes(200_000);

async function failureOf(
  run: Promise<unknown>,
): Promise<{ type: string; message: string; passing: boolean; bytes: number }> {
  const err = await run.then(
    () => assert.fail('it succeeded'),
    (cause: unknown) => cause,
  );
  assert.ok(err instanceof ApplicationFailure, String(err));
  assert.equal(err.nonRetryable, true);
  const [facts] = err.details as [{ passing: boolean; bytes: number }];
  return { type: err.type ?? '', message: err.message, ...facts };
}

/** The file is there as the server has it, and nothing beside it. */
async function assertWhole({ path }: ModelNode, content: Buffer = CONTENT): Promise<void> {
  assert.ok((await readFile(path)).equals(content));
  assert.equal(existsSync(`${path}.part`) || existsSync(`${path}.part.json`), false);
}

test('a file is fetched, its digest told, and asking again fetches nothing', async (t) => {
  const node = await modelNode(t);
  const sha256 = node.server.put(MODEL_PATH, CONTENT);
  const { result, beats } = node.attempt();
  assert.deepEqual(await result, { path: node.file().path, size_bytes: CONTENT.length, sha256 });
  await assertWhole(node);
  assert.equal(beats.at(0)?.bytes, 0);
  assert.deepEqual(await node.attempt().result, await result);
  assert.equal(node.server.seen.length, 1);
});

test('B-MODEL-012: what broke off goes on with Range and If-Range, whoever fetched the first bytes', async (t) => {
  const node = await modelNode(t);
  const sha256 = node.server.put(MODEL_PATH, CONTENT);
  node.server.behave((_, nth) => (nth === 1 ? { breakAfter: 70_000 } : {}));
  const failed = await failureOf(node.attempt().result);
  assert.deepEqual([failed.type, failed.passing, failed.bytes], ['DOWNLOAD_FAILED', true, 70_000]);
  const again = node.attempt();
  assert.equal((await again.result).sha256, sha256);
  await assertWhole(node);
  const [first, second] = node.server.seen;
  assert.deepEqual([first?.range, first?.ifRange], [undefined, undefined]);
  assert.deepEqual([second?.range, second?.ifRange], ['bytes=70000-', second?.ifRange]);
  assert.match(second?.ifRange ?? '', /^"[0-9a-f]{40}"$/);
  assert.equal(again.beats.at(0)?.bytes, 70_000);
});

test('B-MODEL-012: a server without ranges is fetched from zero, and so is a file that has changed', async (t) => {
  for (const [name, manners] of [
    ['no ranges', { noRanges: true }],
    ['changed, and the server knows If-Range', { tag: '"new"' }],
    ['changed, and 412', { status: 412 }],
    ['shorter now', { status: 416 }],
  ] as const) {
    const node = await modelNode(t);
    const old = randomBytes(90_000);
    node.server.put(MODEL_PATH, old);
    node.server.behave((_, nth) => (nth === 1 ? { breakAfter: 50_000 } : nth === 2 ? manners : {}));
    await failureOf(node.attempt().result);
    const sha256 = node.server.put(MODEL_PATH, CONTENT);
    assert.equal((await node.attempt().result).sha256, sha256, name);
    await assertWhole(node);
  }
});

test('B-MODEL-012: a rest of another file is not taken for the rest of this one', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, CONTENT);
  // It neither tells tags nor heeds them, but its file has grown.
  node.server.behave((_, nth) => ({ tag: null, ...(nth === 1 ? { breakAfter: 50_000 } : {}) }));
  await failureOf(node.attempt().result);
  const grown = randomBytes(CONTENT.length + 1);
  node.server.put(MODEL_PATH, grown);
  await node.attempt().result;
  await assertWhole(node, grown);
});

test('B-MODEL-013: a server that says nothing more has failed, and what it said is kept', async (t) => {
  const node = await modelNode(t, { stallMs: 200 });
  node.server.put(MODEL_PATH, CONTENT);
  node.server.behave(() => ({ stallAfter: 10_000 }));
  const failed = await failureOf(node.attempt().result);
  assert.deepEqual([failed.type, failed.passing, failed.bytes], ['DOWNLOAD_TIMEOUT', true, 10_000]);
  assert.match(failed.message, /no byte came for 200 ms/);
});

test('B-MODEL-015: a file with another digest is deleted, whoever said what it should be', async (t) => {
  const told = await modelNode(t);
  const sha256 = told.server.put(MODEL_PATH, CONTENT);
  told.server.behave(() => ({ garbled: true }));
  const failed = await failureOf(told.attempt(told.file({ sha256 })).result);
  assert.deepEqual([failed.type, failed.passing, failed.bytes], ['MODEL_CORRUPTED', true, 0]);
  assert.equal(existsSync(`${told.path}.part`), false);
  assert.equal(existsSync(told.path), false);

  const byServer = await modelNode(t);
  byServer.server.put(MODEL_PATH, CONTENT);
  byServer.server.behave(() => ({ garbled: true, headers: { 'x-linked-etag': `"${sha256}"` } }));
  assert.equal((await failureOf(byServer.attempt().result)).type, 'MODEL_CORRUPTED');
});

test('B-MODEL-015: the digest counts the bytes of both attempts', async (t) => {
  const node = await modelNode(t);
  const sha256 = node.server.put(MODEL_PATH, CONTENT);
  node.server.behave((_, nth) => (nth === 1 ? { breakAfter: 70_000, garbled: true } : {}));
  await failureOf(node.attempt().result);
  assert.equal((await failureOf(node.attempt(node.file({ sha256 })).result)).type, 'MODEL_CORRUPTED');
});

test('a body that is shorter or longer than the model is said to be is not the model', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, CONTENT);
  node.server.behave(() => ({ noLength: true }));
  const short = await failureOf(node.attempt(node.file({ size_bytes: CONTENT.length + 5 })).result);
  assert.deepEqual([short.type, short.passing, short.bytes], ['DOWNLOAD_FAILED', true, CONTENT.length]);
  const other = await modelNode(t);
  other.server.put(MODEL_PATH, CONTENT);
  other.server.behave(() => ({ noLength: true }));
  const long = await failureOf(other.attempt(other.file({ size_bytes: 5 })).result);
  assert.deepEqual([long.type, existsSync(`${other.path}.part`)], ['MODEL_CORRUPTED', false]);
});

test('B-MODEL-016, B-MODEL-017, B-MODEL-011: what a refusal means', async (t) => {
  const node = await modelNode(t, { hfToken: 'hf_secret' });
  const rows: [number, string, boolean][] = [
    [404, 'MODEL_NOT_FOUND', false],
    [401, 'MODEL_ACCESS_DENIED', false],
    [403, 'MODEL_ACCESS_DENIED', false],
    [500, 'DOWNLOAD_FAILED', true],
    [503, 'DOWNLOAD_FAILED', true],
    [400, 'DOWNLOAD_FAILED', false],
  ];
  for (const [status, type, passing] of rows) {
    node.server.behave(() => ({ status }));
    const failed = await failureOf(node.attempt().result);
    assert.deepEqual([failed.type, failed.passing], [type, passing], String(status));
    assert.equal(failed.message.includes('hf_secret'), false);
    if (type === 'MODEL_ACCESS_DENIED') assert.match(failed.message, /set HF_TOKEN/);
  }
  const away = await failureOf(
    node.attempt(node.file({ from: { url: 'http://127.0.0.1:1/m', by: null } })).result,
  );
  assert.deepEqual([away.type, away.passing], ['DOWNLOAD_FAILED', true]);
});

test('the token goes to the host that was asked, and to no other that it points to', async (t) => {
  const node = await modelNode(t, { hfToken: 'hf_secret' });
  const elsewhere = await modelNode(t);
  const sha256 = elsewhere.server.put('/blob', CONTENT);
  const location = `${elsewhere.server.url}/blob`;
  node.server.behave(() => ({ status: 302, headers: { location, 'x-linked-etag': `"${sha256}"` } }));
  await node.attempt().result;
  await assertWhole(node);
  assert.equal(node.server.seen[0]?.authorization, 'Bearer hf_secret');
  assert.equal(elsewhere.server.seen[0]?.authorization, undefined);
  const plain = node.file({ from: { url: `${node.server.url}/x`, by: null } });
  await node.attempt({ ...plain, path: 'other' }).result;
  assert.equal(node.server.seen.at(-1)?.authorization, undefined);
});

test('redirects are followed a few times, and never to plain HTTP elsewhere', async (t) => {
  const node = await modelNode(t);
  node.server.behave(() => ({ status: 302, headers: { location: '/round' } }));
  const round = await failureOf(node.attempt().result);
  assert.match(round.message, /redirects more than 5 times/);
  assert.deepEqual([round.passing, node.server.seen.length], [false, 6]);
  node.server.behave(() => ({ status: 302, headers: { location: 'http://192.0.2.1/m' } }));
  const outside = await failureOf(node.attempt().result);
  assert.match(outside.message, /may not be asked: only HTTPS/);
});

test('B-MODEL-018: without room nothing is fetched, and the message says what is needed and what is there', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, CONTENT);
  node.server.behave(() => ({ noLength: true }));
  const failed = await failureOf(node.attempt(node.file({ size_bytes: 2 ** 52 })).result);
  assert.deepEqual([failed.type, failed.passing], ['INSUFFICIENT_DISK_SPACE', false]);
  assert.match(failed.message, /needs 4503599627370496 bytes.*has \d+; free \d+ bytes/);
  assert.equal(existsSync(`${node.path}.part`), false);
});

test('B-MODEL-019: a disk that is full in the middle ends it, and what was there is removed', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, CONTENT);
  await mkdir(dirname(node.path), { recursive: true });
  await symlink('/dev/full', `${node.path}.part`);
  const failed = await failureOf(node.attempt().result);
  assert.deepEqual([failed.type, failed.passing, failed.bytes], ['DISK_FULL', false, 0]);
  assert.equal(existsSync(`${node.path}.part`) || existsSync(`${node.path}.part.json`), false);
});

test('B-MODEL-020: a limit is kept, and its pauses are no silence of the server', async (t) => {
  const node = await modelNode(t, { bytesPerSecond: 400_000, stallMs: 100 });
  node.server.put(MODEL_PATH, CONTENT);
  node.server.behave(() => ({ pauseMs: 1 }));
  const beganAt = Date.now();
  const { result, beats } = node.attempt();
  await result;
  assert.ok(Date.now() - beganAt >= 450, `${Date.now() - beganAt} ms for 500 ms worth of bytes`);
  assert.ok(beats.some(({ bytes, bytes_per_second }) => bytes > 0 && bytes_per_second <= 800_000));
});

test('B-DL-009, B-DL-010: beats tell what is there, never less than before, and no total where nobody knows it', async (t) => {
  const node = await modelNode(t, { stallMs: 100 });
  node.server.put(MODEL_PATH, CONTENT);
  node.server.behave(() => ({ noLength: true, pauseMs: 20 }));
  const { result, beats } = node.attempt();
  await result;
  assert.ok(beats.length > 3, String(beats.length));
  assert.deepEqual(
    beats.map(({ bytes }) => bytes),
    beats.map(({ bytes }) => bytes).toSorted((a, b) => a - b),
  );
  assert.ok(beats.every(({ total_bytes }) => total_bytes === null));
});

test('B-PDUR-002: a cancel ends the attempt at once; a shutdown leaves it to the next worker', async (t) => {
  const node = await modelNode(t);
  const sha256 = node.server.put(MODEL_PATH, CONTENT);
  node.server.behave((_, nth) => (nth < 3 ? { stallAfter: 30_000 } : {}));
  const begun = async (bytes: number) =>
    eventually(
      () => `${bytes} bytes`,
      async () =>
        (await stat(`${node.path}.part`).catch(() => undefined))?.size === bytes ? true : undefined,
    );
  const cancelled = node.attempt();
  await begun(30_000);
  cancelled.cancel();
  await assert.rejects(cancelled.result, /CANCELLED/);
  const left = node.attempt();
  await begun(60_000);
  node.closing.abort();
  await assert.rejects(left.result, { type: 'WORKER_SHUTDOWN', nonRetryable: false });
  const next = await modelNode(t, { folder: node.models.folder });
  assert.equal((await next.attempt(node.file()).result).sha256, sha256);
  assert.equal(node.server.seen.at(-1)?.range, 'bytes=60000-');
});

test('an attempt that Temporal has given up does not write beside the next one', async (t) => {
  const node = await modelNode(t);
  const sha256 = node.server.put(MODEL_PATH, CONTENT);
  node.server.behave((_, nth) => (nth === 1 ? { pauseMs: 50 } : {}));
  const first = node.attempt();
  await eventually(
    () => 'the first bytes',
    () => (first.beats.some(({ bytes }) => bytes > 0) ? true : undefined),
  );
  const second = node.attempt();
  await failureOf(first.result);
  assert.equal((await second.result).sha256, sha256);
  await assertWhole(node);
});

test('bytes of which nobody knows where they come from are not gone on from', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, CONTENT);
  await mkdir(dirname(node.path), { recursive: true });
  await writeFile(`${node.path}.part`, 'left by somebody');
  await node.attempt().result;
  await assertWhole(node);
  assert.equal(node.server.seen[0]?.range, undefined);
});

test('B-OBS-032: the metrics say how far it is and how attempts end, and forget the model after its end', async (t) => {
  const { models: metrics, text } = nodeMetrics();
  const node = await modelNode(t, { metrics, stallMs: 100 });
  node.server.put(MODEL_PATH, CONTENT);
  node.server.behave((_, nth) => (nth === 1 ? { stallAfter: CONTENT.length * 0.6 } : {}));
  const failing = node.attempt();
  const seen = await eventually(
    () => 'the metrics of the file',
    async () => {
      const now = await text();
      return /bytes_downloaded\{.*\} 120000/.test(now) ? now : undefined;
    },
  );
  const label = `{model_id="${MODEL}"}`;
  assert.ok(seen.includes(`model_download_progress_percent${label} 60\n`), seen);
  assert.ok(seen.includes(`model_download_bytes_total${label} 200000\n`));
  await failureOf(failing.result);
  await node.attempt().result;
  const after = await text();
  assert.equal(after.includes(label), false);
  assert.match(after, /^model_downloads_total\{outcome="failure"\} 1$/m);
  assert.match(after, /^model_downloads_total\{outcome="success"\} 1$/m);
});
