/** Node workers that have registered, and what they said last (nodes-and-workers 2). */
import type { Migration } from 'kysely';

/** Makes the table. */
export const nodeWorkers: Migration = {
  async up(db) {
    await db.schema
      .createTable('node_workers')
      .addColumn('node_id', 'text', (column) => column.primaryKey())
      .addColumn('machine_id', 'text', (column) => column.notNull())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('version', 'text', (column) => column.notNull())
      .addColumn('capabilities', 'text', (column) => column.notNull())
      .addColumn('pools', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('registered_ms', 'bigint', (column) => column.notNull())
      .addColumn('last_heartbeat_ms', 'bigint')
      .execute();
  },
};
