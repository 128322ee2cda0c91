/** The catalogue's rows. Where files are, and what may be done with a model, is not theirs to say. */
import { sql, type Kysely, type Selectable, type Updateable } from 'kysely';
import {
  modelEntry,
  type Lifecycle,
  type ModelEntry,
  type ModelRequest,
  type Verification,
} from '../contracts/model.js';
import { inStore } from './store-away.js';
import type { ModelTable, Tables } from './tables.js';

/** A model but for its place on this machine. */
export type ModelRecord = Omit<ModelEntry, 'local_path'>;

/** The catalogue. Every call fails with STORE_UNAVAILABLE while the database is away; each is one statement. */
export interface Models {
  /** Makes the model, or changes what is given of it; its lifecycle stays (B-CAT-008). */
  save: (model: ModelRequest) => Promise<ModelRecord>;
  get: (id: string) => Promise<ModelRecord | undefined>;
  /** By id. */
  list: () => Promise<ModelRecord[]>;
  setLifecycle: (id: string, lifecycle: Lifecycle) => Promise<ModelRecord | undefined>;
  /** Notes how the files of the model with this digest were found. A digest that has changed meanwhile is not judged. */
  setVerification: (
    model: Pick<ModelRecord, 'id' | 'digest'>,
    verification: Verification,
  ) => Promise<ModelRecord | undefined>;
  /** True when there was one. */
  remove: (id: string) => Promise<boolean>;
}

/** The catalogue of a database. */
export function createModels({ db, now }: { db: Kysely<Tables>; now: () => number }): Models {
  const one = async (query: { executeTakeFirst: () => Promise<Selectable<ModelTable> | undefined> }) => {
    const row = await inStore(() => query.executeTakeFirst());
    return row === undefined ? undefined : recordOf(row);
  };
  return {
    save: ({ id, ...given }) =>
      inStore(async () => {
        const row = columnsOf(given);
        const query = db
          .insertInto('models')
          .values({ ...EMPTY, ...row, id, lifecycle: 'Active', created_ms: now() })
          .onConflict((conflict) =>
            conflict.column('id').doUpdateSet({
              ...row,
              id,
              // What was found about another digest says nothing of this one.
              ...(row.digest === undefined
                ? {}
                : { verification: whileDigestStays(), last_verified_ms: verifiedWhileDigestStays() }),
            }),
          )
          .returningAll();
        return recordOf(await query.executeTakeFirstOrThrow());
      }),
    get: (id) => one(db.selectFrom('models').selectAll().where('id', '=', id)),
    list: () =>
      inStore(async () => (await db.selectFrom('models').selectAll().orderBy('id').execute()).map(recordOf)),
    setLifecycle: (id, lifecycle) =>
      one(db.updateTable('models').set({ lifecycle }).where('id', '=', id).returningAll()),
    setVerification: ({ id, digest }, verification) =>
      one(
        db
          .updateTable('models')
          .set({ verification: JSON.stringify(verification), last_verified_ms: now() })
          .where('id', '=', id)
          .where('digest', digest === null ? 'is' : '=', digest)
          .returningAll(),
      ),
    remove: (id) =>
      inStore(async () => {
        const { numDeletedRows } = await db.deleteFrom('models').where('id', '=', id).executeTakeFirst();
        return numDeletedRows > 0n;
      }),
  };
}

const EMPTY = { tags: '[]', manifests: '[]', signatures: '[]' };
const whileDigestStays = () =>
  sql<string | null>`case when models.digest = excluded.digest then models.verification end`;
const verifiedWhileDigestStays = () =>
  sql<number | null>`case when models.digest = excluded.digest then models.last_verified_ms end`;

/** The given fields as columns; those that are left out are left alone. */
function columnsOf(given: Omit<ModelRequest, 'id'>): Updateable<ModelTable> {
  const { digest, source_url, ...structured } = given;
  const texts = Object.entries(structured)
    // Left out or undefined is the same to the schema that they come from.
    .filter((entry: [string, unknown]) => entry[1] !== undefined)
    .map(([name, value]) => [name, value === null ? null : JSON.stringify(value)] as const);
  return {
    ...(digest === undefined ? {} : { digest }),
    ...(source_url === undefined ? {} : { source_url }),
    ...(Object.fromEntries(texts) as Updateable<ModelTable>), // Names of `ModelRequest`, which are the columns'.
  };
}

const recordSchema = modelEntry.omit({ local_path: true });

function recordOf(row: Selectable<ModelTable>): ModelRecord {
  const parse = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
  return recordSchema.parse({
    ...row,
    tags: parse(row.tags),
    manifests: parse(row.manifests),
    signatures: parse(row.signatures),
    sbom: parse(row.sbom),
    trust_policy: parse(row.trust_policy),
    verification: parse(row.verification),
  });
}
