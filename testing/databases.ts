/** One body of tests for both databases: SQLite in a file, and PostgreSQL where the tests have a server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite } from 'node:test';
import type { StoreOptions } from '../store/open-store.js';
import { postgresPrograms, startPostgres, type PostgresServer } from './postgres.js';

/** Says where a new, empty database is. */
export type NewDatabase = () => StoreOptions;

/** Declares the tests of `body` once for each database. */
export function onEachDatabase(body: (newDatabase: NewDatabase) => void): void {
  suite('on SQLite', () => {
    const folder = mkdtempSync(join(tmpdir(), 'drover-sqlite-'));
    let databases = 0;
    after(() => rmSync(folder, { recursive: true, force: true }));
    body(() => ({ folder: join(folder, String(++databases)) }));
  });
  const programs = postgresPrograms;
  if (programs === undefined) return;
  suite('on PostgreSQL', () => {
    let server: PostgresServer;
    before(async () => {
      server = await startPostgres(programs);
    });
    after(() => server.stop());
    body(() => ({ folder: tmpdir(), url: server.newDatabase() }));
  });
}
