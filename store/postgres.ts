/** PostgreSQL, for APIs and control workers on several machines. */
import { PostgresDialect, type Dialect } from 'kysely';
import pg from 'pg';

/** A database answers in its own data centre or not at all. */
const CONNECT_LIMIT_MS = 2_000;
/** Every statement of ours finds its rows by an index. */
const STATEMENT_LIMIT_MS = 5_000;
/** A process of ours; the server's own limit is 100 by default, and several processes share it. */
const CONNECTIONS = 8;
/** Numbers of PostgreSQL's type `int8`, which come as text: times and sizes, all below 2^53. */
const INT8 = 20;

/**
 * The dialect for the server at `url`.
 * @param onLost - told of a connection that broke while nobody used it; the next call makes another
 */
export function postgresDialect(url: string, onLost: (err: Error) => void): Dialect {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, Number);
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    statement_timeout: STATEMENT_LIMIT_MS,
    // Beyond the server's own limit: for a server that says nothing any more.
    query_timeout: STATEMENT_LIMIT_MS + 1_000,
    application_name: 'drover',
    types,
  });
  pool.on('error', onLost);
  return new PostgresDialect({ pool });
}
