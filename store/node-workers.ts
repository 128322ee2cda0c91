/** Rows of the node workers that report. What their silence means is for `domain/node-service.ts` to say. */
import { sql, type Kysely, type Selectable } from 'kysely';
import type { NodeHeartbeat, NodeRegistration, ReportedNode } from '../contracts/node-service.js';
import { SILENCE_LIMIT_MS, type KeptStanding } from '../domain/node-service.js';
import { inStore } from './store-away.js';
import type { NodeWorkerTable, Tables } from './tables.js';

/** A node worker as it is kept. */
export type KeptNode = Omit<ReportedNode, 'state'> & KeptStanding;

/** The node workers. Every call fails with STORE_UNAVAILABLE while the database is away; each is one statement. */
export interface NodeWorkers {
  /** Enters a node, or what it says anew; undefined where another machine has its id and is alive (B-NAPI-008). */
  register: (node: NodeRegistration) => Promise<KeptNode | undefined>;
  /** Keeps a heartbeat; undefined for a node that is not registered, or has left. */
  heard: (nodeId: string, heartbeat: NodeHeartbeat) => Promise<KeptNode | undefined>;
  /** It is to get no more work, or to get it again; through all that it says itself. Undefined as in `heard`. */
  setDraining: (nodeId: string, drains: boolean) => Promise<KeptNode | undefined>;
  /** It is told of no more; undefined as in `heard`. Where it was is kept for the tasks that still run there. */
  leave: (nodeId: string) => Promise<KeptNode | undefined>;
  /** All, those that have left included, by id. */
  list: () => Promise<KeptNode[]>;
}

/** The node workers of a database. @param now - milliseconds */
export function createNodeWorkers({ db, now }: { db: Kysely<Tables>; now: () => number }): NodeWorkers {
  const one = async (query: { executeTakeFirst: () => Promise<Selectable<NodeWorkerTable> | undefined> }) => {
    const row = await inStore(() => query.executeTakeFirst());
    return row === undefined ? undefined : nodeOf(row);
  };
  const present = (nodeId: string) =>
    db.updateTable('node_workers').where('node_id', '=', nodeId).where('state', '!=', 'left');
  return {
    register({ capabilities, pools: _named, ...node }) {
      const row = {
        ...node,
        ...{ capabilities: JSON.stringify(capabilities), pools: '[]', state: 'registering' },
        ...{ reason: null, registered_ms: now(), last_heartbeat_ms: null },
      };
      const heardAfter = now() - SILENCE_LIMIT_MS;
      const insert = db.insertInto('node_workers').values(row);
      return one(
        insert
          .onConflict((conflict) =>
            conflict
              .column('node_id')
              .doUpdateSet(row)
              .where((kept) =>
                kept.or([
                  kept('node_workers.machine_id', '=', node.machine_id),
                  kept('node_workers.state', 'in', ['left', 'failed']),
                  kept(
                    sql<number>`coalesce(node_workers.last_heartbeat_ms, node_workers.registered_ms)`,
                    '<',
                    heardAfter,
                  ),
                ]),
              ),
          )
          .returningAll(),
      );
    },
    heard: (nodeId, { pools, fatal }) => {
      const kept = { pools: JSON.stringify(pools), last_heartbeat_ms: now(), reason: fatal ?? null };
      const state = fatal === undefined ? 'online' : 'failed';
      return one(
        present(nodeId)
          .set({ ...kept, state })
          .returningAll(),
      );
    },
    setDraining: (nodeId, drains) =>
      one(
        present(nodeId)
          .set({ draining_since_ms: drains ? now() : null })
          .returningAll(),
      ),
    leave: (nodeId) => one(present(nodeId).set({ state: 'left' }).returningAll()),
    list: () =>
      inStore(async () => {
        const rows = await db.selectFrom('node_workers').selectAll().execute();
        return rows.map(nodeOf).sort((a, b) => (a.node_id < b.node_id ? -1 : 1));
      }),
  };
}

function nodeOf(row: Selectable<NodeWorkerTable>): KeptNode {
  const { capabilities, pools, state, draining_since_ms, ...node } = row;
  return {
    ...node,
    capabilities: JSON.parse(capabilities) as ReportedNode['capabilities'], // Written by us from what was checked.
    pools: JSON.parse(pools) as ReportedNode['pools'],
    state: state as KeptStanding['state'],
    drains: draining_since_ms !== null,
  };
}
