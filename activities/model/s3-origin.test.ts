import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { S3Server } from '../../testing/s3-server.js';
import { FileChangedError, type OriginAnswer } from './model-origin.js';
import { s3Origin } from './s3-origin.js';

const skip = process.env['DROVER_TEST_S3'] === undefined ? 'DROVER_TEST_S3 is not set' : false;
const CONTENT = randomBytes(100_000);

async function bytesOf({ body }: OriginAnswer): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test(
  'B-MODEL-012: an object is fetched from any place on, unless it is another one by now',
  { skip },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'drover-s3-'));
    const server = await S3Server.start(folder);
    t.after(async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    });
    const { AWS_ENDPOINT_URL_S3: endpoint, ...keys } = server.settings('');
    Object.assign(process.env, keys);
    await writeFile(server.objectFile('m.bin'), CONTENT);
    const place = { bucket: 'kept', endpoint, region: undefined };
    const origin = s3Origin({ ...place, key: 'm.bin' });
    const { signal } = new AbortController();

    const whole = await origin({ offset: 0, tag: null, signal });
    assert.deepEqual([whole.offset, whole.totalBytes], [0, CONTENT.length]);
    assert.ok((await bytesOf(whole)).equals(CONTENT));
    const rest = await origin({ offset: 60_000, tag: whole.tag, signal });
    assert.deepEqual([rest.offset, rest.totalBytes], [60_000, CONTENT.length]);
    assert.ok((await bytesOf(rest)).equals(CONTENT.subarray(60_000)));

    const leaving = new AbortController();
    await writeFile(server.objectFile('large.bin'), randomBytes(20_000_000));
    const large = await s3Origin({ ...place, key: 'large.bin' })({
      offset: 0,
      tag: null,
      signal: leaving.signal,
    });
    setImmediate(() => leaving.abort());
    await assert.rejects(bytesOf(large), { name: 'AbortError' });

    await assert.rejects(origin({ offset: 200_000, tag: null, signal }), FileChangedError);
    await assert.rejects(s3Origin({ ...place, key: 'none' })({ offset: 0, tag: null, signal }), {
      type: 'MODEL_NOT_FOUND',
    });
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
    await assert.rejects(s3Origin({ ...place, key: 'm.bin' })({ offset: 0, tag: null, signal }), {
      type: 'MODEL_ACCESS_DENIED',
      message: /AWS_ACCESS_KEY_ID/,
    });
  },
);
