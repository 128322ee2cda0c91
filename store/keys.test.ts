import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachDatabase } from '../testing/databases.js';
import { createKeys, type NewKey } from './keys.js';
import { openStore } from './open-store.js';

const key = (id: string): NewKey => {
  return { id, name: `key ${id}`, role: 'client', digest: `digest-of-${id}`, rate_limit_per_minute: null };
};

onEachDatabase((newDatabase) => {
  test('a key outlives the process; revoked it holds no more, and when it was revoked first stays', async () => {
    const options = newDatabase();
    const first = await openStore(options);
    let time = 1_000;
    const keys = createKeys({ db: first.db, now: () => time++ });
    const made = await keys.add({ ...key('a'), role: 'node', rate_limit_per_minute: 7 });
    assert.deepEqual(made, {
      ...key('a'),
      ...{ role: 'node', rate_limit_per_minute: 7, created_ms: 1_000, last_used_ms: null, revoked_ms: null },
    });
    await keys.add(key('b'));
    await first.close();
    const second = await openStore(options);
    const later = createKeys({ db: second.db, now: () => time++ });
    assert.deepEqual(
      (await later.valid()).map(({ id }) => id),
      ['b', 'a'],
    );
    assert.equal((await later.revoke('a'))?.revoked_ms, 1_002);
    assert.equal((await later.revoke('a'))?.revoked_ms, 1_002);
    assert.equal(await later.revoke('nobody'), undefined);
    assert.deepEqual(
      [await later.valid(), await later.list()].map((found) => found.map(({ id }) => id)),
      [['b'], ['b', 'a']],
    );
    assert.deepEqual([await later.forget(1_002), await later.forget(1_003)], [0, 1]);
    assert.deepEqual(
      (await later.list()).map(({ id }) => id),
      ['b'],
    );
    await second.close();
  });

  test('of all uses the latest is noted', async () => {
    const { db, close } = await openStore(newDatabase());
    const keys = createKeys({ db, now: () => 1_000 });
    await keys.add(key('a'));
    for (const atMs of [3_000, 2_000]) await keys.used('a', atMs);
    const [found] = await keys.list();
    assert.equal(found?.last_used_ms, 3_000);
    await close();
  });
});
