/** The catalogue of models (control-plane 6). */
import type { Migration } from 'kysely';

/** Makes the table. */
export const models: Migration = {
  async up(db) {
    await db.schema
      .createTable('models')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('lifecycle', 'text', (column) => column.notNull())
      .addColumn('digest', 'text')
      .addColumn('source_url', 'text')
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('manifests', 'text', (column) => column.notNull())
      .addColumn('signatures', 'text', (column) => column.notNull())
      .addColumn('sbom', 'text')
      .addColumn('trust_policy', 'text')
      .addColumn('last_verified_ms', 'bigint')
      .addColumn('verification', 'text')
      .addColumn('created_ms', 'bigint', (column) => column.notNull())
      .execute();
  },
};
