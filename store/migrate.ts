/**
 * Brings a database to the tables of this version. Every process that opens the store does it at its start; the lock
 * (an advisory one on PostgreSQL, the write lock of SQLite) lets one go first, and the others find the work done.
 */
import { Migrator, type Kysely, type Migration } from 'kysely';
import { artifacts } from './migrations/0001-artifacts.js';
import { models } from './migrations/0002-models.js';
import { keys } from './migrations/0003-keys.js';
import { sessions } from './migrations/0004-sessions.js';
import { nodes } from './migrations/0005-nodes.js';
import { nodeWorkers } from './migrations/0006-node-workers.js';
import { nodeDrains } from './migrations/0007-node-drains.js';
import type { Tables } from './tables.js';

/** In the order of their names; one that was released is never changed. */
export const MIGRATIONS: Record<string, Migration> = {
  '0001-artifacts': artifacts,
  '0002-models': models,
  '0003-keys': keys,
  '0004-sessions': sessions,
  '0005-nodes': nodes,
  '0006-node-workers': nodeWorkers,
  '0007-node-drains': nodeDrains,
};

/** Runs what has not run yet, all of it or nothing. @param migrations - default: those of this version */
export async function migrate(db: Kysely<Tables>, migrations = MIGRATIONS): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined)
    throw error instanceof Error ? error : new Error('a migration failed', { cause: error });
}
