import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DroverError } from '../contracts/errors.js';
import { onEachDatabase } from '../testing/databases.js';
import { openStore } from './open-store.js';

onEachDatabase((newDatabase) => {
  test('several processes that start together make the tables once', async () => {
    const options = newDatabase();
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(options)));
    const [store] = stores;
    const tables = await store!.db.introspection.getTables();
    assert.deepEqual(tables.map(({ name }) => name).sort(), ['artifacts', 'models', 'transcripts']);
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
