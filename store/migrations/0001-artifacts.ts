/** Artifacts, and which of them is a task's transcript (control-plane 7). */
import { sql, type Migration } from 'kysely';

/** Makes the tables. */
export const artifacts: Migration = {
  async up(db) {
    await db.schema
      .createTable('artifacts')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('size_bytes', 'bigint', (column) => column.notNull())
      .addColumn('created_ms', 'bigint', (column) => column.notNull())
      .addColumn('stored_ms', 'bigint', (column) => column.notNull())
      // PostgreSQL's word; SQLite keeps bytes as bytes whatever a column is called.
      .addColumn('content', sql`bytea`)
      .execute();
    await db.schema.createIndex('artifacts_by_age').on('artifacts').columns(['stored_ms', 'id']).execute();
    await db.schema
      .createTable('transcripts')
      .addColumn('task_id', 'text', (column) => column.primaryKey())
      .addColumn('artifact_id', 'text', (column) =>
        column.notNull().references('artifacts.id').onDelete('cascade'),
      )
      .execute();
    await db.schema.createIndex('transcripts_by_artifact').on('transcripts').column('artifact_id').execute();
  },
};
