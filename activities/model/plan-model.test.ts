import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MODEL, MODEL_PATH, modelNode, type ModelNode } from '../../testing/model-node.js';

const REF = 'hf:org/repo/m.bin';
const COMMIT = 'c0'.repeat(20);
const LIST = '/api/models/org/repo/revision/main';
const hexOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** Fetches and publishes the model as its workflow does. */
async function provision(node: ModelNode, ref = REF) {
  const { files, is_folder } = await node.plan(ref);
  const fetched = [];
  for (const file of files) fetched.push(await node.attempt(file).result);
  return node.publish({ model_ref: ref, is_folder, files: fetched });
}

test('B-MODEL-001, B-MODEL-003: a model that is there is not fetched; one whose file is gone or cut is', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, 'weights');
  const plan = await node.plan(REF, `sha256:${hexOf('weights')}`);
  assert.equal(plan.present, null);
  assert.deepEqual(plan.files, [
    {
      ...{ path: MODEL, size_bytes: null, sha256: hexOf('weights') },
      from: { url: `${node.server.url}${MODEL_PATH}`, by: 'hf' },
    },
  ]);
  const model = await provision(node);
  const local_path = join(node.cacheDir, MODEL);
  assert.equal(await readFile(local_path, 'utf8'), 'weights');
  assert.deepEqual((await node.plan(REF)).present, model);
  assert.deepEqual((await node.plan(REF, `sha256:${hexOf('weights')}`)).present, model);
  assert.equal((await node.plan(REF, `sha256:${hexOf('others')}`)).present, null);
  await writeFile(local_path, 'cut');
  assert.equal((await node.plan(REF)).present, null);
  await rm(local_path);
  assert.equal((await node.plan(REF)).present, null);
});

test('B-MODEL-023, B-MODEL-004: a line says what came when and from where, and what was gathered is gone', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, 'weights');
  const before = Date.now();
  await provision(node);
  const lines = (await readFile(node.provenanceFile, 'utf8')).trim().split('\n');
  const { ts_ms, ...line } = JSON.parse(lines[0] ?? '') as { ts_ms: number };
  assert.ok(ts_ms >= before && ts_ms <= Date.now());
  assert.deepEqual(line, {
    ...{ model_id: MODEL, path: join(node.cacheDir, MODEL), size_bytes: 7 },
    cfg: { model_ref: REF, digest: `sha256:${hexOf('weights')}`, node_id: 'node-1' },
  });
  assert.equal(existsSync(node.models.folder.gatheringOf(MODEL)), false);
  // An answer that was lost: asked again it is the same, and no second line.
  await node.publish({ files: [{ path: MODEL, size_bytes: 7, sha256: hexOf('weights') }] });
  assert.equal((await readFile(node.provenanceFile, 'utf8')).trim().split('\n').length, 1);
});

test('B-MODEL-022: a repository is fetched at one commit, and its digest is that of the list of its files', async (t) => {
  const node = await modelNode(t);
  const files: Record<string, string> = {
    'config.json': '{}',
    'sub/b.safetensors': 'bbb',
    'a.safetensors': 'aa',
  };
  for (const [name, text] of Object.entries(files))
    node.server.put(`/org/repo/resolve/${COMMIT}/${name}`, text);
  const siblings = Object.entries(files).map(([rfilename, text]) => ({
    ...{ rfilename, size: text.length },
    ...(rfilename === 'config.json' ? {} : { lfs: { sha256: hexOf(text), size: text.length } }),
  }));
  node.server.put(LIST, JSON.stringify({ id: 'org/repo', sha: COMMIT, siblings }));
  const model = await provision(node, 'hf:org/repo');
  for (const [name, text] of Object.entries(files)) {
    assert.equal(await readFile(join(model.local_path, name), 'utf8'), text);
  }
  const lines = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  const list = lines.map(([name, text]) => `${hexOf(text)}  ${name}\n`).join('');
  assert.deepEqual([model.digest, model.size_bytes], [`sha256:${hexOf(list)}`, 7]);
  assert.deepEqual((await node.plan('hf:org/repo')).present, model);
  assert.equal(node.server.seen[0]?.url, `${LIST}?blobs=true`);

  const gathered = node.publish({
    model_ref: 'hf:org/repo',
    is_folder: true,
    files: [],
    digest: model.digest,
  });
  await assert.rejects(gathered, { type: 'MODEL_CORRUPTED', message: /should have/ });
  node.server.behave(({ url }) => ({ garbled: url.includes('a.safetensors') }));
  await rm(model.local_path, { recursive: true });
  await assert.rejects(provision(node, 'hf:org/repo'), { type: 'MODEL_CORRUPTED' });
});

test('B-VAL-004: a repository whose files would leave its folder is refused before the first byte', async (t) => {
  const node = await modelNode(t);
  const lists = [
    { sha: COMMIT, siblings: [{ rfilename: '../../etc/passwd', size: 1 }] },
    { sha: COMMIT, siblings: [] },
    { sha: COMMIT, siblings: Array.from({ length: 1_001 }, (_, nth) => ({ rfilename: `f${nth}` })) },
    { sha: '../main', siblings: [{ rfilename: 'a' }] },
    'no list',
  ];
  for (const list of lists) {
    node.server.put(LIST, JSON.stringify(list));
    await assert.rejects(node.plan('hf:org/repo'), { type: 'DOWNLOAD_FAILED' });
  }
});

test('a repository that is not there, or behind a login, is said to be so', async (t) => {
  const node = await modelNode(t, { hfToken: 'hf_secret' });
  await assert.rejects(node.plan('hf:org/repo'), { type: 'MODEL_NOT_FOUND' });
  assert.equal(node.server.seen[0]?.authorization, 'Bearer hf_secret');
  node.server.behave(() => ({ status: 401 }));
  await assert.rejects(node.plan('hf:org/repo'), { type: 'MODEL_ACCESS_DENIED' });
});

test('a file of the operator is where it is; other references are none', async (t) => {
  const node = await modelNode(t);
  const path = join(node.cacheDir, '..', 'own.bin');
  await writeFile(path, 'own');
  const { present } = await node.plan(`file:${path}`);
  assert.deepEqual([present?.local_path, present?.size_bytes], [path, 3]);
  await assert.rejects(node.plan('file:/nowhere/at/all'), { type: 'MODEL_NOT_FOUND' });
  for (const ref of ['demo', 'oci://r.example/repo:tag', 'file:m.gguf']) {
    await assert.rejects(node.plan(ref), { type: 'INVALID_MODEL_REFERENCE' });
  }
});

test('B-MODEL-024: of a GGUF file the header is read, and what only bears its name is refused', async (t) => {
  const node = await modelNode(t);
  node.server.put(MODEL_PATH, 'weights');
  const file = node.file({ path: 'm.gguf' });
  const publish = async (model_id: string) => {
    const { result } = node.attempt(file);
    return node.publish({ model_id, files: [await result] });
  };
  // Tests gather under one name; a model is judged by its own.
  const folder = node.models.folder;
  const gatheringOf = folder.gatheringOf.bind(folder);
  folder.gatheringOf = () => gatheringOf(MODEL);
  await assert.rejects(publish('m.gguf'), { type: 'MODEL_CORRUPTED', message: /not a GGUF file/ });
  await rm(gatheringOf(MODEL), { recursive: true, force: true });
  node.server.put(MODEL_PATH, ggufOf(15));
  assert.equal((await publish('m.gguf')).quantization, 'Q4_K_M');
});

/** A header that says of what kind the numbers are. */
function ggufOf(fileType: number): Buffer {
  const key = 'general.file_type';
  const bytes = Buffer.alloc(24 + 8 + key.length + 8);
  bytes.write('GGUF', 0);
  bytes.writeUInt32LE(3, 4);
  bytes.writeBigUInt64LE(1n, 16);
  bytes.writeBigUInt64LE(BigInt(key.length), 24);
  bytes.write(key, 32);
  bytes.writeUInt32LE(4, 32 + key.length);
  bytes.writeUInt32LE(fileType, 36 + key.length);
  return bytes;
}

test('B-CFG-024: downloads can be switched off, or allowed from named places alone; what is there stays there', async (t) => {
  const refused = { type: 'MODEL_ACCESS_DENIED', nonRetryable: true };
  const off = await modelNode(t, { allowedSources: [] });
  off.server.put(MODEL_PATH, 'weights');
  await assert.rejects(off.plan(REF), { ...refused, message: 'this installation fetches no models' });
  await writeFile(join(off.cacheDir, '..', 'own.gguf'), 'GGUF');
  assert.ok((await off.plan(`file:${join(off.cacheDir, '..', 'own.gguf')}`)).present);
  const listed = await modelNode(t, { allowedSources: ['hf:org', 's3://models', 'weights.example'] });
  for (const ref of [REF, 's3://models/m.bin', 'https://weights.example/m.bin'])
    assert.equal((await listed.plan(ref)).files.length, 1, ref);
  for (const ref of ['hf:others/repo/m.bin', 's3://private/m.bin', 'https://example.com/m.bin'])
    await assert.rejects(listed.plan(ref), refused, ref);
  listed.server.put(MODEL_PATH, 'weights');
  await provision(listed);
  const { models } = listed;
  models.allowedSources = [];
  assert.ok((await listed.plan(REF)).present);
});
