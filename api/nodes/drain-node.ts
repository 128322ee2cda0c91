/**
 * A node that an operator takes out of service (B-NAPI-011): from that word on no task is placed on it, and each of its pools
 * is drained, so that what waits there goes elsewhere and nothing new gets a slot. It drains until it is resumed, through
 * every restart.
 */
import { DroverError } from '../../contracts/errors.js';
import type { NodeDrained, NodeResumed } from '../../contracts/node-service.js';
import { poolWorkflowId } from '../../domain/identity.js';
import type { NodeWorkers } from '../../store/node-workers.js';
import type { RequestContext } from '../request-context.js';
import type { DrainPool } from '../tasks/drain.js';
import type { PoolBoard } from '../tasks/pool-board.js';
import type { ReadPools } from '../tasks/pool-health.js';
import { notRegistered, type NodeService } from './node-service.js';
import type { NodeDirectory } from './node-directory.js';

/** What draining a node works with. */
export interface NodeDrainDeps {
  nodeWorkers: Pick<NodeWorkers, 'setDraining'>;
  directory: NodeDirectory;
  board: PoolBoard;
  readPools: Pick<ReadPools, 'list'>;
  drainPool: DrainPool;
  /** Refuses where nodes do not register here. */
  service: Pick<NodeService, 'mustBeOpen'>;
}

/** Takes nodes out of service, and puts them back. Both fail with NODE_NOT_REGISTERED, SINGLE_NODE_MODE and STORE_UNAVAILABLE. */
export interface NodeDrains {
  /** @param deadlineMs - how long running tasks may go on */
  drain: (nodeId: string, deadlineMs: number, context: RequestContext) => Promise<NodeDrained>;
  /** It gets tasks again as soon as a pool of it is ready; drained ones need a preload. */
  resume: (nodeId: string, context: RequestContext) => Promise<NodeResumed>;
}

/** States of pools that have no engine, and will not get one by themselves. */
const AT_REST: readonly string[] = ['uninitialized', 'offline'];

/** Builds both. */
export function createNodeDrains(deps: NodeDrainDeps): NodeDrains {
  const { nodeWorkers, directory, board, readPools, drainPool, service } = deps;

  async function mark(nodeId: string, drains: boolean) {
    service.mustBeOpen();
    if ((await nodeWorkers.setDraining(nodeId, drains)) === undefined) throw notRegistered(nodeId);
    await directory.refresh();
    // What was kept of it says otherwise.
    board.distrust(nodeId);
    return { node_id: nodeId, state: directory.stateOf(nodeId) ?? 'offline' };
  }

  async function drainOne(pool_id: string, deadlineMs: number, context: RequestContext) {
    try {
      await drainPool({ poolId: pool_id, deadlineMs, waitMs: 0 }, context);
      return { pool_id, operation_id: poolWorkflowId(pool_id, 'drain'), problem: null };
    } catch (err) {
      // The others are drained all the same, and this one gets no task either.
      if (!(err instanceof DroverError)) throw err;
      return { pool_id, operation_id: null, problem: err.code };
    }
  }

  return {
    async drain(nodeId, deadlineMs, context) {
      const marked = await mark(nodeId, true);
      context.log.info(
        { event: 'node_drain', node_id: nodeId, deadline_ms: deadlineMs },
        'a node is drained',
      );
      const pools = await readPools.list(context);
      // An operation on a pool goes to the first of its nodes.
      const its = pools.filter(
        ({ node_ids: [first], state }) => first === nodeId && !AT_REST.includes(state),
      );
      const drained = its.map(({ pool_id }) => drainOne(pool_id, deadlineMs, context));
      return { ...marked, pools: await Promise.all(drained) };
    },
    async resume(nodeId, context) {
      const marked = await mark(nodeId, false);
      context.log.info({ event: 'node_resumed', node_id: nodeId }, 'a node may work again');
      return marked;
    },
  };
}
