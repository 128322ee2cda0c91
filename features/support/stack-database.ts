/** The database of a stack: SQLite in its state folder, or a PostgreSQL of its own that a scenario may stop. */
import { postgresPrograms, startPostgres, type PostgresServer } from '../../testing/postgres.js';

/** One stack's database. */
export class StackDatabase {
  private server: PostgresServer | undefined;
  /** Settings of the stack's processes. */
  env: Record<string, string> = {};

  /** Starts a PostgreSQL, to be used by every process that is started later. */
  async usePostgres(): Promise<void> {
    if (postgresPrograms === undefined) throw new Error('DROVER_TEST_POSTGRES is not set: run npm test');
    this.server = await startPostgres(postgresPrograms);
    this.env = { DATABASE_URL: this.server.newDatabase() };
  }

  /** The PostgreSQL. @throws Error when the stack has none */
  must(): PostgresServer {
    if (this.server === undefined) throw new Error('this stack has no PostgreSQL');
    return this.server;
  }

  /** Ends the server, where there is one. */
  async stop(): Promise<void> {
    await this.server?.stop();
  }
}
