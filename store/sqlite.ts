/**
 * SQLite in one file, for the processes of one machine: write-ahead log, every commit synced. Calls are synchronous and
 * take parts of a millisecond.
 */
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'libsql';
import {
  SelectQueryNode,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type Dialect,
  type SqliteDialectConfig,
} from 'kysely';

/** How long a call waits for another process' write, which takes a millisecond. */
const BUSY_LIMIT_MS = 5_000;
/** Between two tries. SQLite's own waiting would hold the event loop, and with it every stream of this process. */
const BUSY_PAUSE_MS = 2;

/**
 * The dialect for the file at `path`; `:memory:` keeps all in memory.
 * @throws Error when the file cannot be opened
 */
export function sqliteDialect(path: string): Dialect {
  const database = new Database(path, { timeout: BUSY_LIMIT_MS });
  database.pragma('journal_mode = wal');
  database.pragma('synchronous = full');
  database.pragma('foreign_keys = on');
  database.pragma('busy_timeout = 0');
  const config: SqliteDialectConfig = { database };
  const dialect = new SqliteDialect(config);
  return {
    createAdapter: () => new OneTransactionAdapter(),
    createDriver: () => new PatientDriver(config, database),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  };
}

/** SQLite can undo the making of a table, so all migrations are one transaction. */
class OneTransactionAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Waits for its turn without holding anybody up. Only the begin of a transaction ever waits, so every write has one: a
 * statement that libsql gave up as busy stays in progress and would not let a later commit through.
 */
class PatientDriver extends SqliteDriver {
  constructor(
    config: SqliteDialectConfig,
    private readonly database: Database.Database,
  ) {
    super(config);
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection();
    return {
      executeQuery: async (query) => {
        if (this.database.inTransaction || SelectQueryNode.is(query.query)) {
          return connection.executeQuery(query);
        }
        await this.beginTransaction();
        try {
          const result = await connection.executeQuery<never>(query);
          await this.commitTransaction();
          return result;
        } catch (err) {
          await this.rollbackTransaction();
          throw err;
        }
      },
      streamQuery: (query, size) => connection.streamQuery(query, size),
    };
  }

  override async beginTransaction(): Promise<void> {
    const deadline = Date.now() + BUSY_LIMIT_MS;
    while (!this.tryToBegin(deadline)) await delay(BUSY_PAUSE_MS);
  }

  override commitTransaction(): Promise<void> {
    this.database.exec('commit');
    return Promise.resolve();
  }

  override rollbackTransaction(): Promise<void> {
    if (this.database.inTransaction) this.database.exec('rollback');
    return Promise.resolve();
  }

  private tryToBegin(deadline: number): boolean {
    try {
      this.database.exec('begin immediate');
      return true;
    } catch (err) {
      if (isBusy(err) && Date.now() < deadline) return false;
      throw err;
    }
  }
}

function isBusy(err: unknown): boolean {
  return err instanceof Error && 'code' in err && err.code === 'SQLITE_BUSY';
}
