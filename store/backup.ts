/**
 * Copies of the SQLite file while everybody goes on with it: SQLite writes one snapshot into a new file (`VACUUM INTO`, SQLite's
 * own; its page-wise interface the driver does not have), which counts once it was read through. The driver's calls hold up the
 * thread that makes them, a second for 200 MB, so a thread of its own makes these.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DroverError } from '../contracts/errors.js';
import { storeAway } from './store-away.js';

/** A copy that is whole. */
export interface StoreBackup {
  /** File in the folder `backups` beside the database. */
  name: string;
  size_bytes: number;
  taken_at_ms: number;
  /** Models of the catalogue that it holds. */
  models: number;
  /** Commands that put it back, for the machine of the database. */
  restore: string;
}

/** Folder beside the database. */
const FOLDER = 'backups';
/** Beside SQLite's own: others of the machine read neither prompts nor keys. */
const OWNER_ONLY = 0o700;
/** Gigabytes on a slow disk. */
const LIMIT_MS = 10 * 60_000;

/** Plain JavaScript: a thread is started from what runs without a loader. */
const COPY = `
const { parentPort, workerData } = require('node:worker_threads');
const Database = require(workerData.driver);
const opened = (path, work) => {
  const database = new Database(path, { timeout: 5000 });
  try { return work(database); } finally { database.close(); }
};
try {
  opened(workerData.from, (database) => database.prepare('VACUUM INTO ?').run(workerData.to));
  parentPort.postMessage(opened(workerData.to, (copy) => ({
    problem: copy.prepare('PRAGMA integrity_check(1)').all().map((row) => row.integrity_check).find((text) => text !== 'ok'),
    models: copy.prepare('SELECT count(*) AS n FROM models').all()[0].n,
  })));
} catch (err) {
  parentPort.postMessage({ code: err.code, problem: String(err.message) });
}
`;

interface Copied {
  models?: number;
  /** Undefined where the copy is sound. */
  problem?: string;
  code?: string;
}

/**
 * Copies the database at `path` into the folder `backups` beside it.
 * @throws DroverError STORE_UNAVAILABLE where there is no room or the file is busy; Error for a database that is damaged
 */
export async function backUp(path: string, nowMs: number): Promise<StoreBackup> {
  const folder = join(dirname(path), FOLDER);
  mkdirSync(folder, { recursive: true, mode: OWNER_ONLY });
  const name = `drover-${new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-')}-${randomUUID().slice(0, 8)}.db`;
  const part = join(folder, `.${name}.part`);
  try {
    const { models = 0, problem, code } = await copied(path, part);
    if (problem !== undefined) throw failed(problem, code);
    await rename(part, join(folder, name));
    const { size: size_bytes } = await stat(join(folder, name));
    return { name, size_bytes, taken_at_ms: nowMs, models, restore: restoreCommands(path, name) };
  } finally {
    await rm(part, { force: true });
  }
}

/** Nobody has the file open meanwhile; the log of changes of another file would be played into this one. */
function restoreCommands(path: string, name: string): string {
  const file = basename(path);
  const folder = `"\${DROVER_STATE_DIR:-.runtime}/${basename(dirname(path))}"`;
  return `cd ${folder} && cp ${FOLDER}/${name} ${file}.new && rm -f ${file}-wal ${file}-shm && mv ${file}.new ${file}`;
}

function copied(from: string, to: string): Promise<Copied> {
  const driver = createRequire(import.meta.url).resolve('libsql');
  const thread = new Worker(COPY, { eval: true, execArgv: [], workerData: { driver, from, to } });
  const ended = new Promise<Copied>((resolve, reject) => {
    thread.once('message', resolve).once('error', reject);
    setTimeout(() => reject(failed('it took too long', 'SQLITE_BUSY')), LIMIT_MS).unref();
  });
  return ended.finally(() => thread.terminate());
}

function failed(problem: string, code: string | undefined): Error {
  const cause = Object.assign(new Error(problem), code === undefined ? {} : { code });
  const known = storeAway(cause);
  if (known !== undefined) return known;
  return new DroverError('INTERNAL', 'the database could not be copied: the log says why', {}, { cause });
}
