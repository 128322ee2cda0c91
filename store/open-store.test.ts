import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql, type Kysely } from 'kysely';
import { DroverError } from '../contracts/errors.js';
import { onEachDatabase } from '../testing/databases.js';
import { MIGRATIONS, migrate } from './migrate.js';
import { openStore } from './open-store.js';

const TEA = { id: 'tea', lifecycle: 'Active', tags: '[]', manifests: '[]', signatures: '[]', created_ms: 1 };

onEachDatabase((newDatabase) => {
  test('several processes that start together make the tables once', async () => {
    const options = newDatabase();
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(options)));
    const [store] = stores;
    const tables = await store!.db.introspection.getTables();
    assert.deepEqual(tables.map(({ name }) => name).sort(), [
      'api_keys',
      'artifacts',
      'models',
      'node_workers',
      'nodes',
      'session_tasks',
      'sessions',
      'transcripts',
    ]);
    await Promise.all(stores.map(({ close }) => close()));
  });

  test('what one process has written, another reads at once, and a later one still', async () => {
    const options = newDatabase();
    const [one, other] = await Promise.all([openStore(options), openStore(options)]);
    const row = { id: 'a', kind: 'other', tags: '[]', size_bytes: 1, created_ms: 1e12, stored_ms: 1e12 };
    await one.db
      .insertInto('artifacts')
      .values({ ...row, content: Buffer.from([0, 255]) })
      .execute();
    const read = () => other.db.selectFrom('artifacts').selectAll().executeTakeFirst();
    const { content, ...rest } = (await read())!;
    assert.deepEqual([rest, [...Buffer.from(content!)]], [row, [0, 255]]);
    await Promise.all([one.close(), other.close()]);
    const later = await openStore(options);
    assert.equal((await later.db.selectFrom('artifacts').select('id').execute()).length, 1);
    await later.close();
  });
});

onEachDatabase((newDatabase) => {
  test('a migration that fails in its middle leaves the tables and what they hold, and the next start does it whole', async () => {
    const { db, close } = await openStore(newDatabase());
    await db.insertInto('models').values(TEA).execute();
    const columns = async () => {
      const tables = await db.introspection.getTables();
      return tables.map((table) => [table.name, table.columns.map(({ name }) => name)]);
    };
    const before = await columns();
    const change = async (schema: Kysely<unknown>, fails: boolean) => {
      await schema.schema.createTable('notes').addColumn('id', 'text').execute();
      await schema.schema.alterTable('models').addColumn('colour', 'text').execute();
      await sql`delete from models`.execute(schema);
      if (fails) await sql`select * from nowhere`.execute(schema);
    };
    const next = (fails: boolean) => ({
      ...MIGRATIONS,
      '9997-good': {
        up: (schema: Kysely<unknown>) => schema.schema.createTable('first').addColumn('id', 'text').execute(),
      },
      '9998-change': { up: (schema: Kysely<unknown>) => change(schema, fails) },
    });
    await assert.rejects(migrate(db, next(true)), /nowhere/);
    assert.deepEqual(await columns(), before);
    assert.deepEqual(await db.selectFrom('models').select('id').execute(), [{ id: 'tea' }]);
    await migrate(db); // The program of before goes on with it.
    await migrate(db, next(false));
    const names = (await columns()).map(([name]) => name);
    assert.ok(names.includes('notes') && names.includes('first'));
    assert.deepEqual(await db.selectFrom('models').select('id').execute(), []);
    await close();
  });
});

const DAMAGE: [string, (file: Buffer) => Buffer][] = [
  ['something else', () => Buffer.from('this is no database, and never was one')],
  ['bytes', () => Buffer.alloc(8_192, 0xa5)],
  ['the half of it', (file) => file.subarray(0, file.length / 2)],
];
for (const [what, damage] of DAMAGE) {
  test(`B-MODEL-026: a SQLite file that holds ${what} is set aside for a new one, and told`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'drover-store-'));
    await (await openStore({ folder })).close();
    const path = join(folder, 'drover.db');
    const damaged = damage(readFileSync(path));
    writeFileSync(path, damaged);
    // What it was changed by would mend it.
    for (const part of ['-wal', '-shm']) rmSync(`${path}${part}`, { force: true });
    const told: string[] = [];
    const open = () => openStore({ folder, onSetAside: (aside) => told.push(aside) });
    const stores = await Promise.all([open(), open()]); // API and control worker start together.
    assert.deepEqual(told, [`${path}.unreadable`]);
    assert.deepEqual(readFileSync(`${path}.unreadable`), damaged);
    const [one, other] = stores;
    await one.db.insertInto('models').values(TEA).execute();
    assert.equal((await other.db.selectFrom('models').select('id').execute()).length, 1);
    await Promise.all(stores.map(({ close }) => close()));
    rmSync(folder, { recursive: true });
  });
}

test('an empty SQLite file is begun anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-store-'));
  writeFileSync(join(folder, 'drover.db'), '');
  const store = await openStore({ folder, onSetAside: () => assert.fail('it was set aside') });
  assert.deepEqual(await store.db.selectFrom('models').select('id').execute(), []);
  await store.close();
  rmSync(folder, { recursive: true });
});

test('the SQLite file is for its owner alone', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'drover-store-'));
  const folder = join(parent, 'store');
  const store = await openStore({ folder });
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  await store.close();
  rmSync(parent, { recursive: true });
});

test('a database that cannot be reached is said to be away, and may come back', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = () => openStore({ folder: '', url: `postgres://x@127.0.0.1:${port}/x` });
  const isAway = (err: unknown) => err instanceof DroverError && err.code === 'STORE_UNAVAILABLE';
  await assert.rejects(open, isAway);
  server.close();
  await once(server, 'close');
  await assert.rejects(open, isAway);
});
