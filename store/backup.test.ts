import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DroverError } from '../contracts/errors.js';
import { openStore, type Store } from './open-store.js';

const TEA = { id: 'tea', lifecycle: 'Active', tags: '[]', manifests: '[]', signatures: '[]', created_ms: 1 };

let stateDir = '';
let folder = '';
let store: Store;
beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'drover-backup-'));
  folder = join(stateDir, 'store');
  store = await openStore({ folder });
  await store.db.insertInto('models').values(TEA).execute();
});
afterEach(async () => {
  await store.close();
  rmSync(stateDir, { recursive: true });
});

const idsIn = async ({ db }: Store) =>
  (await db.selectFrom('models').select('id').orderBy('id').execute()).map(({ id }) => id);

test('B-MODEL-027: a copy with its time is made beside a database in use, is read through, and its command puts it back', async () => {
  const beganAt = Date.now();
  const taking = store.backup();
  // Whoever writes meanwhile is let through.
  await store.db
    .insertInto('models')
    .values({ ...TEA, id: 'while' })
    .execute();
  const { name, models, size_bytes, taken_at_ms, restore } = await taking;
  assert.ok(taken_at_ms >= beganAt && taken_at_ms <= Date.now());
  const [, day, h, m, s] = /^drover-([\d-]{10})T(\d\d)-(\d\d)-(\d\d)-/.exec(name) ?? assert.fail(name);
  assert.equal(`${day}T${h}:${m}:${s}`, new Date(taken_at_ms).toISOString().slice(0, 19));
  const path = join(folder, 'backups', name);
  assert.deepEqual(
    [statSync(path).size, statSync(join(folder, 'backups')).mode & 0o777],
    [size_bytes, 0o700],
  );
  assert.deepEqual(readdirSync(join(folder, 'backups')), [name]);
  await store.db
    .insertInto('models')
    .values({ ...TEA, id: 'later' })
    .execute();
  await store.close();
  execFileSync('sh', ['-c', restore], { env: { ...process.env, DROVER_STATE_DIR: stateDir } });
  store = await openStore({ folder, onSetAside: () => assert.fail('the copy is damaged') });
  const ids = await idsIn(store);
  assert.ok(ids.includes('tea') && !ids.includes('later'), String(ids));
  assert.equal(ids.length, models);
});

test('B-MODEL-027: what cannot be read through is no copy, and nothing is left of it', async () => {
  const page = Number((await readPragma('page_size')) ?? 0);
  await checkpointed();
  // Every page but the first, so that the file is still known as a database.
  const file = join(folder, 'drover.db');
  const handle = openSync(file, 'r+');
  const size = readFileSync(file).length;
  writeSync(handle, Buffer.alloc(size - page, 0xa5), 0, size - page, page);
  await assert.rejects(store.backup(), (err) => err instanceof DroverError && !err.message.includes(folder));
  assert.deepEqual(readdirSync(join(folder, 'backups')), []);

  async function readPragma(name: string) {
    const { default: Database } = await import('libsql');
    const [row] = new Database(join(folder, 'drover.db')).pragma(name) as Record<string, unknown>[];
    return row?.[name];
  }
  async function checkpointed() {
    const { default: Database } = await import('libsql');
    new Database(join(folder, 'drover.db')).pragma('wal_checkpoint(TRUNCATE)');
  }
});

test('a database that is not in a file of ours is for its own means', async () => {
  const other = await openStore({ folder: ':memory:' });
  await assert.rejects(other.backup(), (err: unknown) => {
    assert.ok(err instanceof DroverError);
    return err.code === 'INVALID_PARAMS' && /pg_dump/.test(err.extras.hint ?? '');
  });
  await other.close();
});
