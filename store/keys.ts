/** Rows of API keys. Who may do what with a key is not theirs to say. */
import { sql, type Kysely, type Selectable } from 'kysely';
import { z } from 'zod';
import { KEY_ROLES, type KeyRole } from '../domain/access.js';
import { inStore } from './store-away.js';
import type { ApiKeyTable, Tables } from './tables.js';

/** A key as it is kept. */
export interface KeyRecord extends Omit<ApiKeyTable, 'role'> {
  role: KeyRole;
}

/** What a key is made of. */
export type NewKey = Pick<KeyRecord, 'id' | 'name' | 'role' | 'digest' | 'rate_limit_per_minute'>;

/** The keys. Every call fails with STORE_UNAVAILABLE while the database is away; each is one statement. */
export interface Keys {
  add: (key: NewKey) => Promise<KeyRecord>;
  /** All that are kept, the newest first. */
  list: () => Promise<KeyRecord[]>;
  /** Those that hold. */
  valid: () => Promise<KeyRecord[]>;
  /** When it was revoked first; undefined where there is no such key. */
  revoke: (id: string) => Promise<KeyRecord | undefined>;
  /** Notes that a key was used; the latest counts. */
  used: (id: string, atMs: number) => Promise<void>;
  /** Forgets keys that were revoked before this; returns how many. */
  forget: (beforeMs: number) => Promise<number>;
}

const role = z.enum(KEY_ROLES);

/** The keys of a database. */
export function createKeys({ db, now }: { db: Kysely<Tables>; now: () => number }): Keys {
  const all = db.selectFrom('api_keys').selectAll().orderBy('created_ms', 'desc').orderBy('id');
  return {
    add: (key) =>
      inStore(async () => {
        const row = { ...key, created_ms: now(), last_used_ms: null, revoked_ms: null };
        return recordOf(await db.insertInto('api_keys').values(row).returningAll().executeTakeFirstOrThrow());
      }),
    list: () => inStore(async () => (await all.execute()).map(recordOf)),
    valid: () => inStore(async () => (await all.where('revoked_ms', 'is', null).execute()).map(recordOf)),
    revoke: (id) =>
      inStore(async () => {
        const row = await db
          .updateTable('api_keys')
          .set({ revoked_ms: sql<number>`coalesce(revoked_ms, ${now()})` })
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst();
        return row === undefined ? undefined : recordOf(row);
      }),
    used: (id, atMs) =>
      inStore(async () => {
        await db
          .updateTable('api_keys')
          .set({ last_used_ms: atMs })
          .where('id', '=', id)
          .where((where) => where.or([where('last_used_ms', 'is', null), where('last_used_ms', '<', atMs)]))
          .execute();
      }),
    forget: (beforeMs) =>
      inStore(async () => {
        const query = db.deleteFrom('api_keys').where('revoked_ms', '<', beforeMs);
        return Number((await query.executeTakeFirst()).numDeletedRows);
      }),
  };
}

function recordOf(row: Selectable<ApiKeyTable>): KeyRecord {
  return { ...row, role: role.parse(row.role) };
}
