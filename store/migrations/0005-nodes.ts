/** The registry of nodes (nodes-and-workers 1): of SSH keys only the paths. */
import type { Migration } from 'kysely';

/** Makes the table. */
export const nodes: Migration = {
  async up(db) {
    await db.schema
      .createTable('nodes')
      .addColumn('node_name', 'text', (column) => column.primaryKey())
      .addColumn('ssh_host', 'text', (column) => column.notNull())
      .addColumn('ssh_port', 'integer', (column) => column.notNull())
      .addColumn('ssh_user', 'text', (column) => column.notNull())
      .addColumn('ssh_key_path', 'text', (column) => column.notNull())
      .addColumn('git_repo_url', 'text', (column) => column.notNull())
      .addColumn('git_branch', 'text', (column) => column.notNull())
      .addColumn('install_path', 'text', (column) => column.notNull())
      .addColumn('last_connected_unix', 'bigint')
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('backends', 'text', (column) => column.notNull())
      .addColumn('devices', 'text', (column) => column.notNull())
      .execute();
  },
};
