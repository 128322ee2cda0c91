/** Forgets artifacts that are too old, and the oldest where all together are too many bytes (B-ART-025). */
import { sql, type Kysely } from 'kysely';
import type { ArtifactFiles } from './artifact-files.js';
import { inStore } from './store-away.js';
import type { Tables } from './tables.js';

/** What may stay. */
export interface Retention {
  /** An artifact goes when nobody has stored it again for so long. */
  ageMs: number;
  /** Bytes of all together. */
  limitBytes: number;
}

/** One transaction is short, so that nobody waits for it. */
const BATCH = 200;

/**
 * Forgets what the retention does not cover. Several processes may do it at the same time.
 * @returns how many were forgotten
 */
export async function collectArtifacts(
  { db, files, now }: { db: Kysely<Tables>; files?: ArtifactFiles | undefined; now: () => number },
  { ageMs, limitBytes }: Retention,
): Promise<number> {
  const before = now() - ageMs;
  let collected = 0;
  for (;;) {
    const ids = await inStore(() => db.transaction().execute(collectBatch));
    collected += ids.length;
    if (ids.length < BATCH) return collected;
  }

  async function collectBatch(trx: Kysely<Tables>): Promise<string[]> {
    const aged = trx
      .selectFrom('artifacts')
      .select(['id', 'stored_ms'])
      .select(sql<number>`sum(size_bytes) over (order by stored_ms desc, id)`.as('bytes_with_newer'));
    const rows = await trx
      .deleteFrom('artifacts')
      .where('id', 'in', (part) =>
        part
          .selectFrom(aged.as('aged'))
          .select('aged.id')
          .where((where) =>
            where.or([where('aged.stored_ms', '<', before), where('aged.bytes_with_newer', '>', limitBytes)]),
          )
          // The oldest first: what goes must not make room for what is older.
          .orderBy('aged.stored_ms')
          .limit(BATCH),
      )
      .returning('id')
      .execute();
    const ids = rows.map(({ id }) => id);
    // Inside, while nobody can store one of them again.
    if (files !== undefined) await Promise.all(ids.map((id) => files.remove(id)));
    return ids;
  }
}
