/** The database of a process that keeps something there: API and control worker. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError } from '../contracts/errors.js';
import type { Settings } from '../contracts/settings.js';
import { openStore, type Store } from '../store/open-store.js';
import type { Logger } from '../telemetry/logger.js';
import { StartError } from './run-process.js';

/** How long a start waits for the database: a server that starts beside us is up in seconds. */
const OPEN_LIMIT_MS = 10_000;
/** A refused connection fails at once. */
const OPEN_PAUSE_MS = 250;
/** In the state folder. */
const FOLDER = 'store';

/**
 * Opens the database that the settings name, its tables brought up to date.
 * @throws StartError that says what to set when it cannot be reached
 */
export async function openProcessStore(settings: Settings, log: Logger): Promise<Store> {
  const { DATABASE_URL: url, DROVER_STATE_DIR: stateDir } = settings;
  const onLost = (err: Error) => log.warn({ err, event: 'store_connection_lost' }, 'lost a connection');
  const onSetAside = (aside: string, err: unknown) =>
    log.error(
      { err, event: 'store_unreadable', aside },
      'the database was damaged; a new one was begun beside it',
    );
  const deadline = Date.now() + OPEN_LIMIT_MS;
  for (;;) {
    try {
      const store = await openStore({ url, folder: join(stateDir, FOLDER), onLost, onSetAside });
      log.info({ event: 'store_opened', kind: url === undefined ? 'sqlite' : 'postgresql' }, 'store opened');
      return store;
    } catch (err) {
      if (!(err instanceof DroverError)) throw err;
      if (Date.now() + OPEN_PAUSE_MS >= deadline) throw unreachable(url, err);
      await delay(OPEN_PAUSE_MS);
    }
  }
}

function unreachable(url: string | undefined, cause: DroverError): StartError {
  const why = cause.cause instanceof Error ? cause.cause.message : cause.message;
  const message =
    url === undefined
      ? `The database in the state folder cannot be used (${why}). Set DROVER_STATE_DIR to a folder on a local disk with room.`
      : `The database of DATABASE_URL cannot be reached (${why}). Start it, or unset DATABASE_URL for SQLite in the state folder.`;
  return new StartError(message, { cause });
}
