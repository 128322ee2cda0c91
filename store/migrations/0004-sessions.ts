/** Sessions (data-plane 6): figures, and which tasks took a turn; never what was said. */
import type { Migration } from 'kysely';

/** Makes the tables. */
export const sessions: Migration = {
  async up(db) {
    await db.schema
      .createTable('sessions')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('expires_ms', 'bigint', (column) => column.notNull())
      .addColumn('turns', 'integer', (column) => column.notNull())
      .addColumn('warm', 'integer', (column) => column.notNull())
      .addColumn('tokens_used', 'bigint', (column) => column.notNull())
      .addColumn('time_used_ms', 'bigint', (column) => column.notNull())
      .addColumn('cost_used', 'double precision', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('sessions_by_expiry').on('sessions').column('expires_ms').execute();
    await db.schema
      .createTable('session_tasks')
      .addColumn('task_id', 'text', (column) => column.primaryKey())
      .addColumn('session_id', 'text', (column) =>
        column.notNull().references('sessions.id').onDelete('cascade'),
      )
      .addColumn('tokens_reserved', 'bigint', (column) => column.notNull())
      .addColumn('settled', 'integer', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('session_tasks_by_session')
      .on('session_tasks')
      .column('session_id')
      .execute();
  },
};
