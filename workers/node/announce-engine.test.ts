import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { replicaFiles } from '../../activities/replica-files.js';
import { DroverError } from '../../contracts/errors.js';
import { startOthersEngine, watchedFolder } from '../../testing/handoff-folder.js';
import { allowHosts } from './allowed-hosts.js';
import { createAnnounceEngine } from './announce-engine.js';

const KEY = { pool_id: 'gpu-0', replica_id: 'r0' };

async function announcer(t: TestContext) {
  const watched = await watchedFolder(t);
  const { node, watch } = watched;
  const { paths } = node.deps;
  const announce = createAnnounceEngine({
    paths,
    pools: node.pools,
    handoffs: watch,
    hostProblem: allowHosts([]),
  });
  return { ...watched, paths, announce };
}

const refusedAs = (code: string) => (err: unknown) => err instanceof DroverError && err.code === code;

test('B-CP-060: an engine is bound once its health and a token were seen, and another url binds it anew', async (t) => {
  const { announce, node, status, folder } = await announcer(t);
  const [one, two] = [await startOthersEngine(t), await startOthersEngine(t, ['--never-ready'])];
  const told = { engine: 'llamacpp', engine_version: 'b9', slots_total: 3, model: { id: 'theirs' } };
  assert.deepEqual(await announce(KEY, { ...told, url: one.url }), { bound: true });
  const { ready, engine_version, slots_total, model_ref } = status() ?? {};
  assert.deepEqual([ready, engine_version, slots_total, model_ref], [true, 'b9', 3, 'theirs']);
  assert.deepEqual(await readdir(folder), ['gpu-0-r0.json']);
  assert.deepEqual(await announce(KEY, { ...told, url: one.url }), { bound: true });
  // One that is not healthy is not bound, and the one before goes on.
  assert.deepEqual(await announce(KEY, { ...told, url: two.url }), { bound: false });
  assert.equal(node.pools.running('gpu-0', 'r0')?.url, one.url);
  const three = await startOthersEngine(t);
  assert.deepEqual(await announce(KEY, { ...told, url: three.url }), { bound: true });
  assert.equal(node.pools.running('gpu-0', 'r0')?.url, three.url);
});

test('what cannot be spoken to is refused, and leaves no handoff', async (t) => {
  const { announce, folder } = await announcer(t);
  for (const told of [{}, null, { url: 'http://192.0.2.1:9' }, { url: 'ftp://127.0.0.1' }, []]) {
    await assert.rejects(announce(KEY, told), refusedAs('INVALID_PARAMS'));
  }
  const url = 'http://127.0.0.1:9';
  await assert.rejects(announce({ ...KEY, pool_id: '../x' }, { url }), refusedAs('INVALID_PARAMS'));
  assert.equal(existsSync(folder) && (await readdir(folder)).length > 0, false);
});

test('a replica that Drover runs itself is left to it', async (t) => {
  const { announce, paths } = await announcer(t);
  await mkdir(paths.runtimeDir, { recursive: true });
  await writeFile(replicaFiles(paths, KEY).spawnRecord, '{}');
  await assert.rejects(announce(KEY, { url: 'http://127.0.0.1:9' }), refusedAs('POOL_CONFLICT'));
});
