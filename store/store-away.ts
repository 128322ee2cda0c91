/** Tells a database that cannot be used now from a query that is wrong. */
import { DroverError } from '../contracts/errors.js';

/** PostgreSQL's classes: connection, resources, operator's intervention (shutdown, a statement that took too long). */
const PASSING_CLASSES = ['08', '53', '57'];
/** The driver says these in words alone. */
const LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout)/;
const PASSING_CODES =
  /^(ECONN|EPIPE|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|SQLITE_(BUSY|LOCKED|IOERR|FULL|CANTOPEN))/;
/** A restart of the server takes seconds. */
const RETRY_AFTER_MS = 1_000;

/** The refusal that a client gets when `err` says that the database is away; undefined for any other error. */
export function storeAway(err: unknown): DroverError | undefined {
  if (!isAway(err)) return undefined;
  return new DroverError(
    'STORE_UNAVAILABLE',
    'the database cannot be used now',
    { retry_after_ms: RETRY_AFTER_MS },
    { cause: err },
  );
}

/**
 * Carries out a call of the database.
 * @throws DroverError STORE_UNAVAILABLE when it is away; any other error as it is
 */
export async function inStore<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (err) {
    throw storeAway(err) ?? err;
  }
}

function isAway(err: unknown): boolean {
  if (err instanceof AggregateError) return err.errors.every(isAway);
  if (!(err instanceof Error)) return false;
  const code = 'code' in err && typeof err.code === 'string' ? err.code : '';
  if (PASSING_CODES.test(code) || LOST.test(err.message)) return true;
  return /^[0-9A-Z]{5}$/.test(code) && PASSING_CLASSES.includes(code.slice(0, 2));
}
