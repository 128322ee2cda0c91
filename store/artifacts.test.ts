import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newPayloadKey, parsePayloadKeys } from '../security/payload-keys.js';
import { onEachDatabase } from '../testing/databases.js';
import { artifactFiles } from './artifact-files.js';
import { createArtifacts } from './artifacts.js';
import { collectArtifacts } from './collect-artifacts.js';
import { openStore } from './open-store.js';

const ring = parsePayloadKeys(newPayloadKey());
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const LABELS = { kind: 'plan', tags: ['a'] } as const;
const labels = () => ({ ...LABELS, tags: [...LABELS.tags] });

const folder = await mkdtemp(join(tmpdir(), 'drover-artifacts-'));
after(() => rm(folder, { recursive: true }));

onEachDatabase((newDatabase) => {
  test('B-ART-002, B-ART-022, B-ART-023, B-STR-032: the id is the digest of the canonical JSON, one row a content', async () => {
    const { db, close } = await openStore(newDatabase());
    const artifacts = createArtifacts({ db, seal: ring, now: () => 1_000 });
    const first = await artifacts.put({ b: [1, { z: null, a: 'ü' }], a: true }, labels());
    const canonical = '{"a":true,"b":[1,{"a":"ü","z":null}]}';
    assert.equal(first.id, createHash('sha256').update(canonical).digest('hex'));
    assert.match(first.id, /^[0-9a-f]{64}$/);
    const again = await artifacts.put({ a: true, b: [1, { a: 'ü', z: null }] }, { kind: 'other', tags: [] });
    assert.deepEqual(again, first);
    assert.equal((await db.selectFrom('artifacts').select('id').execute()).length, 1);
    assert.equal(await artifacts.get(first.id), '{"b":[1,{"z":null,"a":"ü"}],"a":true}');
    await close();
  });

  test('B-ART-003: what one process stores, another reads at once, from the database alone', async () => {
    const options = newDatabase();
    const [one, other] = await Promise.all([openStore(options), openStore(options)]);
    const deps = { seal: ring, now: () => 1_000 };
    const { id } = await createArtifacts({ ...deps, db: one.db }).put('hello', labels());
    assert.equal(await createArtifacts({ ...deps, db: other.db }).get(id), '"hello"');
    const rows = await other.db.selectFrom('artifacts').select('content').execute();
    assert.equal(Buffer.from(rows[0]?.content ?? '').includes('hello'), false);
    await Promise.all([one.close(), other.close()]);
  });

  test('B-ART-021, B-ART-011: with a folder there is one file an id; the database is the second place to look', async () => {
    const { db, close } = await openStore(newDatabase());
    const root = join(folder, `files-${Math.random()}`);
    const files = artifactFiles(root);
    const [inDatabase, inFiles] = [undefined, files].map((kind) =>
      createArtifacts({ db, seal: ring, files: kind, now: () => 1_000 }),
    );
    const before = await inDatabase!.put('before the folder', labels());
    const after_ = await inFiles!.put('in the folder', labels());
    assert.deepEqual(await readdir(root), [after_.id]);
    assert.equal((await stat(join(root, after_.id))).mode & 0o777, 0o600);
    assert.equal((await readFile(join(root, after_.id))).includes('folder'), false);
    assert.equal(await inFiles!.get(before.id), '"before the folder"');
    assert.equal(await inFiles!.get(after_.id), '"in the folder"');
    assert.equal(await inDatabase!.get(after_.id), undefined);
    await rm(join(root, after_.id));
    assert.equal(await inFiles!.get(after_.id), undefined);
    await close();
  });

  test('B-ART-025: what nobody has stored for too long goes, its file too; a task that ran for longer keeps its transcript', async () => {
    const { db, close } = await openStore(newDatabase());
    const root = join(folder, `old-${Math.random()}`);
    const files = artifactFiles(root);
    let time = 0;
    const now = () => time;
    const artifacts = createArtifacts({ db, seal: ring, files, now });
    const [old, refreshed] = await Promise.all(
      ['old', 'refreshed'].map((text) => artifacts.put(text, labels())),
    );
    time = 600;
    await artifacts.put('refreshed', labels());
    const transcript = await artifacts.keepTranscript('admitted-long-ago', { events: [] });
    time = 1_001;
    const sweep = () => collectArtifacts({ db, files, now }, { ageMs: 1_000, limitBytes: NO_LIMIT });
    assert.equal(await sweep(), 1);
    assert.equal(await artifacts.get(old!.id), undefined);
    assert.deepEqual((await readdir(root)).sort(), [refreshed!.id, transcript].sort());
    assert.equal(await artifacts.transcriptOf('admitted-long-ago'), transcript);
    time = 1_601;
    assert.equal(await sweep(), 2);
    assert.equal(await artifacts.transcriptOf('admitted-long-ago'), undefined);
    assert.deepEqual(await readdir(root), []);
    await close();
  });

  test('B-ART-025: beyond the limit of bytes the oldest go, the newest stay', async () => {
    const { db, close } = await openStore(newDatabase());
    let time = 0;
    const now = () => time;
    const artifacts = createArtifacts({ db, seal: ring, now });
    const ids: string[] = [];
    for (const text of ['a', 'b', 'c', 'd']) {
      time += 1;
      ids.push((await artifacts.put(text.repeat(1_000), labels())).id);
    }
    const { size_bytes } = await db.selectFrom('artifacts').select('size_bytes').executeTakeFirstOrThrow();
    const retention = { ageMs: 1_000, limitBytes: 2 * size_bytes };
    assert.equal(await collectArtifacts({ db, now }, retention), 2);
    const left = await Promise.all(ids.map((id) => artifacts.get(id)));
    assert.deepEqual(
      left.map((text) => text?.[1]),
      [undefined, undefined, 'c', 'd'],
    );
    await close();
  });

  test('B-DP-140: a task has one transcript, the same when it is stored again, another when its id is used anew', async () => {
    const { db, close } = await openStore(newDatabase());
    const artifacts = createArtifacts({ db, seal: ring, now: () => 1_000 });
    const transcript = (t: string) => ({ events: [{ type: 'token' as const, data: { t, i: 0 } }] });
    const first = await artifacts.keepTranscript('t-1', transcript('a'));
    assert.equal(await artifacts.keepTranscript('t-1', transcript('a')), first);
    assert.equal(await artifacts.transcriptOf('t-1'), first);
    const anew = await artifacts.keepTranscript('t-1', transcript('b'));
    assert.notEqual(anew, first);
    assert.equal(await artifacts.transcriptOf('t-1'), anew);
    assert.equal(await artifacts.transcriptOf('t-2'), undefined);
    await close();
  });
});

test('B-ART-020: a database in memory needs no folder and keeps nothing', async () => {
  const stores = await Promise.all([openStore({ folder: ':memory:' }), openStore({ folder: ':memory:' })]);
  const [one, other] = stores.map(({ db }) => createArtifacts({ db, seal: ring, now: () => 1_000 }));
  const { id } = await one!.put({}, labels());
  assert.equal(await one!.get(id), '{}');
  assert.equal(await other!.get(id), undefined);
  await Promise.all(stores.map(({ close }) => close()));
});
