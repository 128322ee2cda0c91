import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../../store/open-store.js';
import { startTestApi } from '../../testing/test-api.js';

test('B-MODEL-027: operators have the catalogue copied; two who ask at once get one copy, and no place is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-backups-'));
  const store = await openStore({ folder });
  const api = await startTestApi({ store });
  await api.ask('POST', '/v2/catalog/models', { payload: { id: 'tea' } });
  const [one, other] = await Promise.all([
    api.ask('POST', '/v2/catalog/backup'),
    api.ask('POST', '/v2/catalog/backup'),
  ]);
  assert.deepEqual([one.statusCode, other.body], [201, one.body]);
  const { name, models, verified, restore } = one.json<Record<string, unknown>>();
  assert.deepEqual([models, verified, readdirSync(join(folder, 'backups'))], [1, true, [name]]);
  assert.match(String(restore), new RegExp(String(name)));
  assert.equal(one.body.includes(folder), false);
  assert.ok(api.audited.some(({ event_type }) => event_type === 'catalog_backed_up'));
  await api.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

test('a database of PostgreSQL, or in memory, is backed up by other means, which are named', async () => {
  const api = await startTestApi();
  const answer = await api.ask('POST', '/v2/catalog/backup');
  assert.equal(answer.statusCode, 400);
  assert.match(answer.json<{ hint: string }>().hint, /pg_dump/);
  await api.close();
});
