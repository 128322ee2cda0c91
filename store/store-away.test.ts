import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../contracts/errors.js';
import { newPayloadKey, parsePayloadKeys } from '../security/payload-keys.js';
import { postgresPrograms, startPostgres } from '../testing/postgres.js';
import { createArtifacts } from './artifacts.js';
import { openStore } from './open-store.js';
import { inStore, storeAway } from './store-away.js';

const failing = (fields: { code?: string; message?: string }) =>
  Object.assign(new Error(fields.message), fields);

test('a database that cannot be used now is told from a query that is wrong', async () => {
  const passing = [
    { code: 'ECONNREFUSED' },
    { code: '57P01' },
    { code: '53300' },
    { code: '08006' },
    { code: 'SQLITE_BUSY' },
    { code: 'SQLITE_FULL' },
    { message: 'Connection terminated unexpectedly' },
    { message: 'timeout exceeded when trying to connect' },
  ];
  for (const fields of passing) assert.equal(storeAway(failing(fields))?.code, 'STORE_UNAVAILABLE');
  const wrong = [{ code: '42P01' }, { code: 'SQLITE_CONSTRAINT' }, { code: '23505' }, { message: 'oops' }];
  for (const fields of wrong) {
    const err = failing(fields);
    assert.equal(storeAway(err), undefined);
    await assert.rejects(
      inStore(() => Promise.reject(err)),
      err,
    );
  }
});

const skip = postgresPrograms === undefined ? 'without a PostgreSQL' : false;
test('while PostgreSQL is away calls fail as such, with the time to come back', { skip }, async () => {
  const server = await startPostgres(postgresPrograms ?? '');
  const lost: Error[] = [];
  const onLost = (err: Error) => void lost.push(err);
  const { db, close } = await openStore({ folder: '', url: server.newDatabase(), onLost });
  const seal = parsePayloadKeys(newPayloadKey());
  const artifacts = createArtifacts({ db, seal, now: Date.now });
  const { id } = await artifacts.put('here', { kind: 'other', tags: [] });
  await server.stop();
  for (const call of [() => artifacts.get(id), () => artifacts.put('there', { kind: 'other', tags: [] })]) {
    const err = await call().catch((cause: unknown) => cause);
    assert.ok(err instanceof DroverError);
    assert.deepEqual([err.code, err.extras.retry_after_ms], ['STORE_UNAVAILABLE', 1_000]);
  }
  await close();
});
