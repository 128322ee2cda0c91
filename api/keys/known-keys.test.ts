import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { newApiKey, type NewApiKey } from '../../security/api-key.js';
import { fingerprint } from '../../security/constant-time.js';
import type { KeyRecord } from '../../store/keys.js';
import { createKnownKeys } from './known-keys.js';

const SETTINGS_KEY = 'a-key-of-the-settings';

/** Keys over rows in memory, with a clock and a database that may be away. */
function aLook() {
  const world = { now: 1_000_000, rows: new Map<string, KeyRecord>(), away: false, mute: false, reads: 0 };
  const used: [string, number][] = [];
  const known = createKnownKeys({
    keys: {
      valid: async () => {
        world.reads += 1;
        if (world.mute) return new Promise<never>(() => undefined);
        if (world.away) throw new DroverError('STORE_UNAVAILABLE', 'away');
        return [...world.rows.values()].map((row) => ({ ...row }));
      },
      used: async (id, atMs) => {
        used.push([id, atMs]);
        const row = world.rows.get(id);
        if (row !== undefined) row.last_used_ms = atMs;
      },
    },
    bootstrap: [SETTINGS_KEY],
    log: { warn: () => undefined },
    now: () => world.now,
  });
  const add = (): NewApiKey => {
    const made = newApiKey();
    const { id, digest } = made;
    const times = { created_ms: 1, last_used_ms: null, revoked_ms: null };
    world.rows.set(id, { id, digest, name: 'n', role: 'client', rate_limit_per_minute: 9, ...times });
    return made;
  };
  return { world, known, used, add };
}

test('a key of the settings is an operator whatever becomes of the database, and nobody asks it', async () => {
  const { world, known } = aLook();
  world.away = true;
  const caller = await known.find(SETTINGS_KEY);
  assert.deepEqual([caller?.role, caller?.identity], ['operator', `token:${fingerprint(SETTINGS_KEY)}`]);
  assert.equal(await known.find(`${SETTINGS_KEY}x`), undefined);
  assert.equal(world.reads, 0);
});

test('B-SECR-008: other keys of the settings hold from the moment that they are given', async () => {
  const { known } = aLook();
  known.useBootstrap(['the-new-key']);
  assert.equal((await known.find('the-new-key'))?.role, 'operator');
  assert.equal(await known.find(SETTINGS_KEY), undefined);
});

test('a key of the database is what its row says; the right id with another secret is nobody', async () => {
  const { known, add } = aLook();
  const { key, id } = add();
  const identity = `token:${fingerprint(key)}`;
  assert.deepEqual(await known.find(key), { identity, role: 'client', keyId: id, ratePerMinute: 9 });
  assert.equal(await known.find(`dk-${id}-${'A'.repeat(43)}`), undefined);
});

test('a key that another API made is known a moment later, one that it revoked is refused within a second', async () => {
  const { world, known, add } = aLook();
  const { key, id } = add();
  assert.ok(await known.find(key));
  const { key: later } = add();
  world.now += 101;
  assert.ok(await known.find(later));
  world.rows.delete(id);
  world.now += 1_001;
  assert.equal(await known.find(key), undefined);
});

test('guessing reads the database ten times a second and no more', async () => {
  const { world, known } = aLook();
  for (let at = 0; at < 1_000; at += 10) {
    world.now += 10;
    assert.equal(await known.find(newApiKey().key), undefined);
  }
  assert.ok(world.reads <= 10, String(world.reads));
});

test('while the database is away the keys that were known go on for an hour, and are not held up', async () => {
  const { world, known, add } = aLook();
  const { key } = add();
  assert.ok(await known.find(key));
  world.away = true;
  world.now += 3_600_000;
  assert.ok(await known.find(key));
  world.now += 1_001;
  assert.equal(await known.find(key), undefined, 'nobody knows whether it still holds');
  world.away = false;
  world.now += 101;
  assert.ok(await known.find(key));
  world.mute = true;
  world.now += 1_001;
  assert.ok(await known.find(key));
});

test('a use is noted once a minute', async () => {
  const { world, known, used, add } = aLook();
  const { key, id } = add();
  await known.find(key);
  world.now += 59_999;
  await known.find(key);
  assert.deepEqual(used, [[id, 1_000_000]]);
  world.now += 1;
  await known.find(key);
  assert.deepEqual(used[1], [id, 1_060_000]);
});
