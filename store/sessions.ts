/**
 * Rows of sessions, and of the tasks that took a turn in them. Whatever changes a session and a task locks the session
 * first, so that no two calls wait for each other.
 */
import { sql, type Kysely, type Transaction } from 'kysely';
import { inStore } from './store-away.js';
import type { SessionTable, Tables } from './tables.js';

/** A session as it is kept, and what its tasks may yet put out. */
export interface SessionRecord extends SessionTable {
  tokens_reserved: number;
}

/** A task that is to have a turn. */
export interface TurnWish {
  sessionId: string;
  taskId: string;
  /** That it may put out. */
  tokens: number;
  /** Whether the session has room for it; asked while nobody else changes the session. */
  fits: (session: SessionRecord) => boolean;
}

/** What a task has used. */
export interface TaskUse {
  tokens: number;
  timeMs: number;
  cost: number;
}

/**
 * The sessions. Every call fails with STORE_UNAVAILABLE while the database is away. Looking at a session, taking a turn and
 * the end of a task remove those that have expired, of whoever they are.
 */
export interface Sessions {
  /** Undefined where there is none that has not expired. */
  find: (id: string) => Promise<SessionRecord | undefined>;
  /** The session, made where it is missing; looking at it is no use of it. */
  open: (id: string) => Promise<SessionRecord>;
  /** `taken` puts the expiry off; `held`: this task has its turn already; `refused`: it did not fit. */
  takeTurn: (wish: TurnWish) => Promise<'taken' | 'held' | 'refused'>;
  /** The task was not accepted after all. */
  giveBackTurn: (taskId: string) => Promise<void>;
  /** The task has put out its first token. */
  warm: (taskId: string) => Promise<void>;
  /** The task has ended: its session is charged, once, and its expiry put off. */
  settle: (taskId: string, use: TaskUse) => Promise<void>;
  /** With what is known of its tasks; one that is not there is no error. */
  remove: (id: string) => Promise<void>;
}

/** What the sessions of a database are made from. */
export interface SessionsDeps {
  db: Kysely<Tables>;
  now: () => number;
  /** From the last use to the end. */
  ttlMs: number;
}

/** The sessions of a database. */
export function createSessions({ db, now, ttlMs }: SessionsDeps): Sessions {
  const find = async (id: string): Promise<SessionRecord | undefined> => {
    const query = db.selectFrom('sessions').selectAll().where('id', '=', id).where('expires_ms', '>', now());
    const session = await query.executeTakeFirst();
    return session === undefined ? undefined : withReserved(db, session);
  };

  const prune = () => db.deleteFrom('sessions').where('expires_ms', '<=', now()).execute();

  /** Made where it is missing, and locked: nobody else changes it meanwhile. */
  const lock = (on: Kysely<Tables>, id: string) =>
    on
      .insertInto('sessions')
      .values({ ...NEW, id, expires_ms: now() + ttlMs })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ id: (row) => row.ref('excluded.id') }))
      .returningAll()
      .executeTakeFirstOrThrow();

  return {
    find: (id) => inStore(() => find(id)),
    open: (id) =>
      inStore(async () => {
        await prune();
        return (await find(id)) ?? withReserved(db, await lock(db, id));
      }),
    takeTurn: ({ sessionId, taskId, tokens, fits }) =>
      inStore(async () => {
        await prune();
        return db.transaction().execute(async (trx) => {
          const session = await withReserved(trx, await lock(trx, sessionId));
          const { numInsertedOrUpdatedRows: claimed } = await trx
            .insertInto('session_tasks')
            .values({ task_id: taskId, session_id: sessionId, tokens_reserved: tokens, settled: 0 })
            .onConflict((conflict) => conflict.column('task_id').doNothing())
            .executeTakeFirstOrThrow();
          if (claimed !== 1n) return 'held';
          if (!fits(session)) {
            await trx.deleteFrom('session_tasks').where('task_id', '=', taskId).execute();
            return 'refused';
          }
          await used(trx, sessionId, { turns: session.turns + 1, expires_ms: now() + ttlMs });
          return 'taken';
        });
      }),
    giveBackTurn: (taskId) =>
      inStore(() =>
        ofTask(db, taskId, async (trx, { id, turns }) => {
          await trx.deleteFrom('session_tasks').where('task_id', '=', taskId).execute();
          await used(trx, id, { turns: turns - 1 });
        }),
      ),
    warm: (taskId) => inStore(() => ofTask(db, taskId, (trx, { id }) => used(trx, id, { warm: 1 }))),
    settle: (taskId, { tokens, timeMs, cost }) =>
      inStore(async () => {
        await prune();
        await ofTask(db, taskId, async (trx, session) => {
          await trx.updateTable('session_tasks').set({ settled: 1 }).where('task_id', '=', taskId).execute();
          await used(trx, session.id, {
            warm: tokens > 0 ? 1 : session.warm,
            tokens_used: session.tokens_used + tokens,
            time_used_ms: session.time_used_ms + timeMs,
            cost_used: session.cost_used + cost,
            expires_ms: now() + ttlMs,
          });
        });
      }),
    remove: (id) =>
      inStore(async () => {
        await db.deleteFrom('sessions').where('id', '=', id).execute();
      }),
  };
}

const NEW = { turns: 0, warm: 0, tokens_used: 0, time_used_ms: 0, cost_used: 0 };

async function withReserved(on: Kysely<Tables>, session: SessionTable): Promise<SessionRecord> {
  const { tokens_reserved } = await on
    .selectFrom('session_tasks')
    .select((row) =>
      row.fn.coalesce(row.fn.sum<number | string>('tokens_reserved'), sql`0`).as('tokens_reserved'),
    )
    .where('session_id', '=', session.id)
    .where('settled', '=', 0)
    .executeTakeFirstOrThrow();
  return { ...session, tokens_reserved: Number(tokens_reserved) };
}

async function used(on: Kysely<Tables>, id: string, set: Partial<SessionTable>): Promise<void> {
  await on.updateTable('sessions').set(set).where('id', '=', id).execute();
}

/** Does `change` with the locked session of a task that has not been charged yet; nothing where there is none. */
async function ofTask(
  db: Kysely<Tables>,
  taskId: string,
  change: (trx: Transaction<Tables>, session: SessionTable) => Promise<void>,
): Promise<void> {
  const open = (on: Kysely<Tables>) =>
    on
      .selectFrom('session_tasks')
      .select('session_id')
      .where('task_id', '=', taskId)
      .where('settled', '=', 0);
  const task = await open(db).executeTakeFirst(); // Most tasks are in no session: they cost no write.
  if (task === undefined) return;
  await db.transaction().execute(async (trx) => {
    const session = await trx
      .updateTable('sessions')
      .set({ id: sql<string>`id` })
      .where('id', '=', task.session_id)
      .returningAll()
      .executeTakeFirst();
    if (session === undefined || (await open(trx).executeTakeFirst()) === undefined) return;
    await change(trx, session);
  });
}
