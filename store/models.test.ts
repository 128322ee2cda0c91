import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachDatabase } from '../testing/databases.js';
import { createModels } from './models.js';
import { openStore } from './open-store.js';

const MATCH = { result: 'pass', reason: 'match', digest: 'sha512:a' } as const;

onEachDatabase((newDatabase) => {
  test('B-CAT-005, B-CAT-008: a model outlives the process; saving it again changes only what is given', async () => {
    const options = newDatabase();
    const first = await openStore(options);
    const models = createModels({ db: first.db, now: () => 1_000 });
    await models.save({ id: 'm', digest: 'blake3:a', tags: ['x'], source_url: 'https://a.example/' });
    await models.setLifecycle('m', 'Retired');
    await first.close();
    const second = await openStore(options);
    const later = createModels({ db: second.db, now: () => 2_000 });
    const saved = await later.save({ id: 'm', tags: ['y'], source_url: null });
    const { digest, tags, source_url, lifecycle, created_ms } = saved;
    assert.deepEqual(
      { digest, tags, source_url, lifecycle, created_ms },
      { digest: 'blake3:a', tags: ['y'], source_url: null, lifecycle: 'Retired', created_ms: 1_000 },
    );
    assert.deepEqual(await later.get('m'), saved);
    assert.deepEqual(await later.list(), [saved]);
    await second.close();
  });

  test('a verification is of one digest: another one has none, and one that changed meanwhile is not judged', async () => {
    const { db, close } = await openStore(newDatabase());
    const models = createModels({ db, now: () => 1_000 });
    const model = await models.save({ id: 'm', digest: 'blake3:a' });
    const verified = await models.setVerification(model, MATCH);
    assert.deepEqual([verified?.verification, verified?.last_verified_ms], [MATCH, 1_000]);
    assert.deepEqual((await models.save({ id: 'm', digest: 'blake3:a' })).verification, MATCH);
    const changed = await models.save({ id: 'm', digest: 'blake3:b' });
    assert.deepEqual([changed.verification, changed.last_verified_ms], [null, null]);
    assert.equal(await models.setVerification(model, MATCH), undefined);
    const undigested = await models.save({ id: 'n' });
    assert.deepEqual((await models.setVerification(undigested, MATCH))?.verification, MATCH);
    await close();
  });

  test('B-CAT-053: a change that breaks off in the middle leaves the catalogue as it was', async () => {
    const options = newDatabase();
    const { db, close } = await openStore(options);
    const models = createModels({ db, now: () => 1_000 });
    const before = await models.save({ id: 'm', tags: ['before'] });
    const brokenOff = db.transaction().execute(async (trx) => {
      await createModels({ db: trx, now: () => 2_000 }).save({ id: 'm', tags: ['after'] });
      await createModels({ db: trx, now: () => 2_000 }).save({ id: 'n' });
      throw new Error('the process died here');
    });
    await assert.rejects(brokenOff, /died here/);
    assert.deepEqual(await models.list(), [before]);
    await close();
  });

  test('B-CAT-040: a model is removed once', async () => {
    const { db, close } = await openStore(newDatabase());
    const models = createModels({ db, now: () => 1_000 });
    await models.save({ id: 'm' });
    assert.deepEqual([await models.remove('m'), await models.remove('m')], [true, false]);
    assert.equal(await models.get('m'), undefined);
    assert.equal(await models.setLifecycle('m', 'Active'), undefined);
    await close();
  });
});
