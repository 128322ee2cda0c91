import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { readSettings } from '../contracts/settings.js';
import { createModels } from '../store/models.js';
import { openProcessStore } from './process-store.js';

test('B-MODEL-026: a process that finds the database damaged sets it aside, tells the operator, and goes on with a new one', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'drover-state-'));
  mkdirSync(join(stateDir, 'store'));
  const path = join(stateDir, 'store', 'drover.db');
  writeFileSync(path, Buffer.alloc(8_192, 0xa5));
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'info' },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const store = await openProcessStore(readSettings({ DROVER_STATE_DIR: stateDir }), log);
  const told = lines.find(({ event }) => event === 'store_unreadable');
  assert.deepEqual([told?.['level'], told?.['aside']], [50, `${path}.unreadable`]);
  assert.ok(existsSync(`${path}.unreadable`));
  assert.deepEqual(await createModels({ db: store.db, now: Date.now }).list(), []);
  await store.close();
  rmSync(stateDir, { recursive: true });
});
