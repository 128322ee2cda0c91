/**
 * The database of one process: SQLite in the state folder, or PostgreSQL where a URL says so. The tables, the queries and
 * their tests are the same on both.
 */
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, type Dialect } from 'kysely';
import { DroverError } from '../contracts/errors.js';
import { backUp, type StoreBackup } from './backup.js';
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
  /** Told of a SQLite file that is none, or a damaged one, and was set aside for a new one. */
  onSetAside?: (aside: string, err: unknown) => void;
}

/** An open database. */
export interface Store {
  db: Kysely<Tables>;
  /** Copies all of it beside it. @throws DroverError STORE_UNAVAILABLE; INVALID_PARAMS for a database that is not in a file of ours */
  backup: () => Promise<StoreBackup>;
  close: () => Promise<void>;
}

const FILE = 'drover.db';
/** What SQLite says of a file that is no database, one whose pages make no sense, and one that ends too early. */
const DAMAGED = ['SQLITE_NOTADB', 'SQLITE_CORRUPT', 'SQLITE_IOERR_SHORT_READ'];
/** Beside SQLite's own: others of the machine read neither prompts nor keys. */
const OWNER_ONLY = 0o700;

/**
 * Opens the store and brings its tables up to date.
 * @throws DroverError STORE_UNAVAILABLE when the server cannot be reached
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { url, folder, onLost = () => undefined, onSetAside = () => undefined } = options;
  if (url !== undefined) return openWith(() => postgresDialect(url, onLost), elsewhere);
  const path = fileIn(folder);
  const found = statSync(path, { throwIfNoEntry: false })?.ino;
  const backup = path === folder ? elsewhere : () => backUp(path, Date.now());
  try {
    return await openWith(() => sqliteDialect(path), backup);
  } catch (err) {
    if (!isDamaged(err) || found === undefined) throw err;
    // In one turn, and only what was found bad: a process that starts beside us may have done it already.
    if (statSync(path, { throwIfNoEntry: false })?.ino === found) onSetAside(setDatabaseAside(path), err);
    return openWith(() => sqliteDialect(path), backup);
  }
}

function elsewhere(): Promise<never> {
  const hint = 'PostgreSQL has its own: pg_dump --format=custom "$DATABASE_URL" > drover.dump';
  const message = 'the database is not in a file of this installation';
  return Promise.reject(new DroverError('INVALID_PARAMS', message, { hint }));
}

async function openWith(dialect: () => Dialect, backup: Store['backup']): Promise<Store> {
  const db = new Kysely<Tables>({ dialect: dialect() });
  try {
    await migrate(db);
  } catch (err) {
    await db.destroy();
    throw storeAway(err) ?? err;
  }
  return { db, backup, close: () => db.destroy() };
}

function isDamaged(err: unknown): boolean {
  const told = err instanceof DroverError ? err.cause : err;
  return told instanceof Error && 'code' in told && DAMAGED.includes(String(told.code));
}

/** With its log of changes, which belongs to no other file. @returns where it is now */
function setDatabaseAside(path: string): string {
  const aside = `${path}.unreadable`;
  for (const part of ['-wal', '-shm']) rmSync(`${aside}${part}`, { force: true });
  renameSync(path, aside);
  for (const part of ['-wal', '-shm'])
    if (existsSync(`${path}${part}`)) renameSync(`${path}${part}`, `${aside}${part}`);
  return aside;
}

function fileIn(folder: string): string {
  if (folder === ':memory:') return folder;
  mkdirSync(folder, { recursive: true, mode: OWNER_ONLY });
  return join(folder, FILE);
}
