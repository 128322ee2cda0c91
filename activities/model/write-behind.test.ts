import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { writeBehind } from './write-behind.js';

async function fileFor(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'drover-write-'));
  const path = join(folder, 'file');
  const handle = await open(path, 'w+');
  t.after(async () => {
    await handle.close();
    await rm(folder, { recursive: true });
  });
  return { path, handle };
}

const piece = (at: number, bytes = 65_536) => Buffer.alloc(bytes, at % 251);

test('pieces of any size come to stand in their order, from where the file went on', async (t) => {
  const { path, handle } = await fileFor(t);
  await handle.write('before');
  const writer = writeBehind(handle, 6);
  const pieces = Array.from({ length: 100 }, (_, at) => piece(at, 1 + ((at * 7_919) % 70_000)));
  for (const one of pieces) await writer.take(one);
  await writer.finish();
  assert.deepEqual(await readFile(path), Buffer.concat([Buffer.from('before'), ...pieces]));
});

test('a write that takes fewer bytes than it was given is gone on with', async (t) => {
  const { path, handle } = await fileFor(t);
  const whole = handle.writev.bind(handle);
  t.mock.method(handle, 'writev', (pieces: Uint8Array[], position: number) =>
    whole([Buffer.concat(pieces).subarray(0, 300_000)], position),
  );
  const writer = writeBehind(handle, 0);
  const pieces = Array.from({ length: 40 }, (_, at) => piece(at));
  for (const one of pieces) await writer.take(one);
  await writer.finish();
  assert.deepEqual(await readFile(path), Buffer.concat(pieces));
});

test('what came before an end in the middle is in the file, a batch or not', async (t) => {
  const { path, handle } = await fileFor(t);
  const writer = writeBehind(handle, 0);
  await writer.take(piece(1));
  await writer.rest();
  assert.deepEqual(await readFile(path), piece(1));
});

test('a slow network waits for no batch', async (t) => {
  const { path, handle } = await fileFor(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const writer = writeBehind(handle, 0);
  await writer.take(piece(1));
  t.mock.timers.tick(249);
  await writer.take(piece(2));
  assert.equal((await handle.stat()).size, 0);
  t.mock.timers.tick(1);
  t.mock.timers.reset();
  await eventually(
    () => 'both pieces in the file',
    async () => ((await handle.stat()).size === 131_072 ? true : undefined),
  );
  assert.deepEqual(await readFile(path), Buffer.concat([piece(1), piece(2)]));
  await writer.rest();
});

test('what the file system refuses is told with the next piece, or at the end', async (t) => {
  const { handle } = await fileFor(t);
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  t.mock.method(handle, 'writev', () => Promise.reject(full));
  const writer = writeBehind(handle, 0);
  await assert.rejects(async () => {
    for (let at = 0; at < 64; at += 1) await writer.take(piece(at));
  }, full);
  await writer.rest();
  const other = writeBehind(handle, 0);
  await other.take(piece(1));
  await assert.rejects(other.finish(), full);
});
