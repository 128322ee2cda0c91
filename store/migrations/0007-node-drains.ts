/** Node workers that an operator wants no more work for (B-NAPI-011). */
import type { Migration } from 'kysely';

/** Adds the column: since when; null where it may work. */
export const nodeDrains: Migration = {
  async up(db) {
    await db.schema.alterTable('node_workers').addColumn('draining_since_ms', 'bigint').execute();
  },
};
