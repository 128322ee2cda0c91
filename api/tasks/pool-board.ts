/** How the pools of all nodes stand, as the nodes last said it: asked when a task needs it, kept for a moment. */
import { DroverError } from '../../contracts/errors.js';
import type { PoolStatus } from '../../contracts/pool.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';

/** A node's report, or that it could not be asked. */
export interface NodeReport {
  nodeId: string;
  /** Undefined where the node is away. */
  pools: readonly PoolStatus[] | undefined;
  /** An operator wants no more work for it (B-NAPI-011). */
  drains: boolean;
  /** What it had when it was last heard of; the same as `pools` where it is there. */
  lastPools: readonly PoolStatus[];
  atMs: number;
  /** Tasks that were placed in each pool since: the report does not count them yet. */
  placedSince: Map<string, number>;
  /** Why it could not be asked, where that is known. */
  problem?: string;
}

/** Reports that are older are asked for again. Slots and queues move faster, but the node has the last word anyway. */
const REPORT_AGE_LIMIT_MS = 1_000;

/** Reads and keeps the reports. */
export interface PoolBoard {
  /** One report a node; none is older than a second, or than `notBeforeMs` where that is given. */
  reports(call: CallContext, notBeforeMs?: number): Promise<NodeReport[]>;
  /** A task goes there: whoever is placed next finds a slot less, though the node was not asked again. */
  placed(nodeId: string, poolId: string): void;
  /** A node said something that its report did not show: ask again at the next need. */
  distrust(nodeId: string): void;
}

/** A board over these nodes. */
export function createPoolBoard(nodes: NodeLink, now: () => number): PoolBoard {
  const kept = new Map<string, NodeReport>();
  const lastHeard = new Map<string, readonly PoolStatus[]>();
  const asking = new Map<string, Promise<NodeReport>>();

  async function ask(nodeId: string, call: CallContext): Promise<NodeReport> {
    try {
      const { pools } = await nodes.pools(nodeId, call);
      lastHeard.set(nodeId, pools);
      return {
        nodeId,
        pools,
        drains: nodes.drains(nodeId),
        lastPools: pools,
        atMs: now(),
        placedSince: new Map(),
      };
    } catch (err) {
      if (!(err instanceof DroverError)) throw err;
      const { cause_code } = Object(err.extras.details) as { cause_code?: unknown };
      const problem = typeof cause_code === 'string' ? { problem: cause_code } : {};
      const lastPools = lastHeard.get(nodeId) ?? [];
      const known = { nodeId, drains: nodes.drains(nodeId), lastPools, atMs: now() };
      return { ...known, pools: undefined, placedSince: new Map(), ...problem };
    }
  }

  /** Requests that come while a node is being asked share the answer. */
  function refresh(nodeId: string, call: CallContext): Promise<NodeReport> {
    const running = asking.get(nodeId);
    if (running !== undefined) return running;
    const report = ask(nodeId, call)
      .then((answer) => {
        kept.set(nodeId, answer);
        return answer;
      })
      .finally(() => asking.delete(nodeId));
    asking.set(nodeId, report);
    return report;
  }

  return {
    reports(call, notBeforeMs = 0) {
      const oldest = Math.max(now() - REPORT_AGE_LIMIT_MS, notBeforeMs);
      const current = nodes.nodeIds.map(async (nodeId) => {
        const report = kept.get(nodeId);
        return report !== undefined && report.atMs >= oldest ? report : await refresh(nodeId, call);
      });
      return Promise.all(current);
    },
    placed(nodeId, poolId) {
      const placedSince = kept.get(nodeId)?.placedSince;
      placedSince?.set(poolId, (placedSince.get(poolId) ?? 0) + 1);
    },
    distrust: (nodeId) => void kept.delete(nodeId),
  };
}
