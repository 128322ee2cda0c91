/** Rows of the registry of nodes. Whether a node can be reached, and what may be done with it, is not theirs to say. */
import type { Kysely, Selectable } from 'kysely';
import {
  registeredNode,
  type NodeChanges,
  type NodeRequest,
  type RegisteredNode,
} from '../contracts/registered-node.js';
import type { NodeStatus } from '../domain/registered-node.js';
import { inStore } from './store-away.js';
import type { NodeTable, Tables } from './tables.js';

/** The registry. Every call fails with STORE_UNAVAILABLE while the database is away; each is one statement. */
export interface Nodes {
  /** Adds a node that has just been reached; undefined where its name is registered, and that one stays as it is. */
  add: (node: NodeRequest) => Promise<RegisteredNode | undefined>;
  get: (name: string) => Promise<RegisteredNode | undefined>;
  /** By name. */
  list: () => Promise<RegisteredNode[]>;
  /** Changes what is given. */
  update: (
    name: string,
    changes: NodeChanges & { status?: NodeStatus },
  ) => Promise<RegisteredNode | undefined>;
  /** Notes that the node was reached now, or could not be. */
  contacted: (name: string, reached: boolean) => Promise<RegisteredNode | undefined>;
  /** True when there was one. */
  remove: (name: string) => Promise<boolean>;
}

/** The registry of a database. @param now - milliseconds */
export function createNodes({ db, now }: { db: Kysely<Tables>; now: () => number }): Nodes {
  const one = async (query: { executeTakeFirst: () => Promise<Selectable<NodeTable> | undefined> }) => {
    const row = await inStore(() => query.executeTakeFirst());
    return row === undefined ? undefined : nodeOf(row);
  };
  const reachedNow = () => ({ status: 'reachable', last_connected_unix: Math.floor(now() / 1_000) });
  const change = (name: string, set: Partial<NodeTable>) =>
    one(db.updateTable('nodes').set(set).where('node_name', '=', name).returningAll());
  return {
    add: ({ backends, devices, ...node }) => {
      const lists = { backends: JSON.stringify(backends), devices: JSON.stringify(devices) };
      const insert = db.insertInto('nodes').values({ ...node, ...lists, ...reachedNow() });
      return one(insert.onConflict((conflict) => conflict.column('node_name').doNothing()).returningAll());
    },
    get: (name) => one(db.selectFrom('nodes').selectAll().where('node_name', '=', name)),
    list: () =>
      inStore(async () => {
        const rows = await db.selectFrom('nodes').selectAll().execute();
        // Not by the database, whose order of letters is a matter of its set-up.
        return rows.map(nodeOf).sort((a, b) => (a.node_name < b.node_name ? -1 : 1));
      }),
    update: (name, { backends, devices, ...changes }) => {
      const set = {
        ...(Object.fromEntries(Object.entries(changes).filter(isGiven)) as Partial<NodeTable>), // Their names are the columns'.
        ...(backends === undefined ? {} : { backends: JSON.stringify(backends) }),
        ...(devices === undefined ? {} : { devices: JSON.stringify(devices) }),
      };
      const isChange = Object.keys(set).length > 0;
      return isChange
        ? change(name, set)
        : one(db.selectFrom('nodes').selectAll().where('node_name', '=', name));
    },
    contacted: (name, reached) => change(name, reached ? reachedNow() : { status: 'offline' }),
    remove: (name) =>
      inStore(async () => {
        const { numDeletedRows } = await db
          .deleteFrom('nodes')
          .where('node_name', '=', name)
          .executeTakeFirst();
        return numDeletedRows > 0n;
      }),
  };
}

function isGiven([, value]: [string, unknown]): boolean {
  return value !== undefined;
}

function nodeOf(row: Selectable<NodeTable>): RegisteredNode {
  const { backends, devices } = row;
  return registeredNode.parse({
    ...row,
    backends: JSON.parse(backends) as unknown,
    devices: JSON.parse(devices) as unknown,
  });
}
