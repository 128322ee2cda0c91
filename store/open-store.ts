/**
 * The database of one process: SQLite in the state folder, or PostgreSQL where a URL says so. The tables, the queries and
 * their tests are the same on both.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { migrate } from './migrate.js';
import { postgresDialect } from './postgres.js';
import { sqliteDialect } from './sqlite.js';
import { storeAway } from './store-away.js';
import type { Tables } from './tables.js';

/** Where the database is. */
export interface StoreOptions {
  /** `postgres://…`; without it SQLite in `folder`. */
  url?: string | undefined;
  /** Folder of the SQLite file, made where it is missing; `:memory:` keeps all in memory. */
  folder: string;
  /** Told of a connection that broke while nobody used it. */
  onLost?: (err: Error) => void;
}

/** An open database. */
export interface Store {
  db: Kysely<Tables>;
  close: () => Promise<void>;
}

const FILE = 'drover.db';
/** Beside SQLite's own: others of the machine read neither prompts nor keys. */
const OWNER_ONLY = 0o700;

/**
 * Opens the store and brings its tables up to date.
 * @throws DroverError STORE_UNAVAILABLE when the server cannot be reached
 */
export async function openStore({ url, folder, onLost = () => undefined }: StoreOptions): Promise<Store> {
  const dialect = url === undefined ? sqliteDialect(fileIn(folder)) : postgresDialect(url, onLost);
  const db = new Kysely<Tables>({ dialect });
  try {
    await migrate(db);
  } catch (err) {
    await db.destroy();
    throw storeAway(err) ?? err;
  }
  return { db, close: () => db.destroy() };
}

function fileIn(folder: string): string {
  if (folder === ':memory:') return folder;
  mkdirSync(folder, { recursive: true, mode: OWNER_ONLY });
  return join(folder, FILE);
}
