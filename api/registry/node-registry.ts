/** The registry of nodes as operators use it (nodes-and-workers 1). */
import { DroverError } from '../../contracts/errors.js';
import type {
  NodeAdded,
  NodeChanges,
  NodeRemoval,
  NodeRequest,
  NodeVisited,
  RegisteredNode,
} from '../../contracts/registered-node.js';
import { leadsElsewhere } from '../../domain/registered-node.js';
import type { Nodes } from '../../store/nodes.js';
import type { NodeVisits, VisitOutcome } from '../clients/node-visits.js';
import type { RequestContext } from '../request-context.js';
import type { DrainPool } from '../tasks/drain.js';
import type { ReadPools } from '../tasks/pool-health.js';

/** What the registry works with. */
export interface NodeRegistryDeps {
  nodes: Nodes;
  visits: NodeVisits;
  readPools: Pick<ReadPools, 'list'>;
  drainPool: DrainPool;
}

/** The registry. */
export interface NodeRegistry {
  /** Enters a node once SSH has reached it. @throws DroverError DUPLICATE_NODE, SSH_TIMEOUT, SSH_CONNECTION_FAILED, SSH_COMMAND_FAILED */
  add: (node: NodeRequest, context: RequestContext) => Promise<NodeAdded>;
  /** By name. */
  list: () => Promise<RegisteredNode[]>;
  /** A node, and how SSH reaches it. @throws DroverError NODE_NOT_FOUND_IN_REGISTRY, INVALID_SSH_USER, INVALID_SSH_HOST */
  get: (name: string) => Promise<RegisteredNode>;
  /** Changes what is given; a node that is elsewhere now is `unknown`. @throws DroverError NODE_NOT_FOUND_IN_REGISTRY */
  update: (name: string, changes: NodeChanges) => Promise<RegisteredNode>;
  /** Visits a node and notes what came of it. @throws DroverError as `get` and `add` do */
  check: (name: string, context: RequestContext) => Promise<NodeAdded>;
  /** @throws DroverError NODE_NOT_FOUND_IN_REGISTRY, NODE_IN_USE while it has pools; what a drain throws */
  remove: (removal: NodeRemoval, context: RequestContext) => Promise<void>;
}

/** Names that a refusal lists; the list of nodes has all. */
const MOST_NAMES = 100;
/** Beyond its deadline a drain stops the engine, which takes seconds. */
const STOP_LIMIT_MS = 15_000;
const WITHOUT_ENGINE: readonly string[] = ['uninitialized', 'offline', 'failed'];

/** Builds the registry. */
export function createNodeRegistry({ nodes, visits, readPools, drainPool }: NodeRegistryDeps): NodeRegistry {
  async function notFound(node_name: string): Promise<DroverError> {
    const names = (await nodes.list()).map((node) => node.node_name);
    const details = { node_name, registered_nodes: names.slice(0, MOST_NAMES) };
    const message = 'no node of this name is registered; add it with POST /v2/registry/beehives/add';
    return new DroverError('NODE_NOT_FOUND_IN_REGISTRY', message, { details });
  }

  async function get(name: string): Promise<RegisteredNode> {
    const node = await nodes.get(name);
    if (node === undefined) throw await notFound(name);
    return reachable(node);
  }

  /** Pools of the node that have an engine, or are to have one. */
  async function poolsOf(name: string, context: RequestContext): Promise<string[]> {
    const pools = await readPools.list(context);
    const inUse = pools.filter(
      ({ node_ids, state }) => node_ids.includes(name) && !WITHOUT_ENGINE.includes(state),
    );
    return inUse.map(({ pool_id }) => pool_id);
  }

  return {
    async add(node, { correlationId: correlation_id, log }) {
      const { node_name } = node;
      if ((await nodes.get(node_name)) !== undefined) throw duplicate(node_name);
      const outcome = await visits.add({ node, correlation_id });
      if (outcome === undefined) throw duplicate(node_name, 'is being added by another request');
      const visited = reachedIn(outcome, node_name);
      log.info({ event: 'node_added', node_name, ...visited }, 'a node was added');
      return addedAs(node_name, `node ${node_name} is registered and was reached by SSH`, visited);
    },
    list: () => nodes.list(),
    get,
    async update(name, changes) {
      const before = await nodes.get(name);
      if (before === undefined) throw await notFound(name);
      const moved = leadsElsewhere(before, changes) ? { status: 'unknown' as const } : {};
      const after = await nodes.update(name, { ...changes, ...moved });
      if (after === undefined) throw await notFound(name);
      return after;
    },
    async check(name, { correlationId: correlation_id }) {
      const { last_connected_unix: _at, status: _status, ...node } = await get(name);
      const visited = reachedIn(await visits.check({ node, correlation_id }), name);
      return addedAs(name, `node ${name} was reached by SSH`, visited);
    },
    async remove({ node_name, force, drain_deadline_ms }, context) {
      if ((await nodes.get(node_name)) === undefined) throw await notFound(node_name);
      const pools = await poolsOf(node_name, context);
      if (pools.length > 0 && !force) {
        const message = 'the node still has pools; drain them first, or say "force": true';
        throw new DroverError('NODE_IN_USE', message, { details: { node_name, pools } });
      }
      const order = { deadlineMs: drain_deadline_ms, waitMs: drain_deadline_ms + STOP_LIMIT_MS };
      const drains = await Promise.all(pools.map((poolId) => drainPool({ ...order, poolId }, context)));
      const open = pools.filter((_pool, index) => !('result' in (drains[index] ?? {})));
      if (open.length > 0) {
        const message = 'pools of the node are still being drained; remove it when they are done';
        throw new DroverError('NODE_IN_USE', message, { details: { node_name, pools: open } });
      }
      if (!(await nodes.remove(node_name))) throw await notFound(node_name);
    },
  };
}

function duplicate(node_name: string, what = 'is registered'): DroverError {
  const message = `a node of this name ${what}; change it with PATCH, or remove it first`;
  return new DroverError('DUPLICATE_NODE', message, { details: { node_name } });
}

/** A record that somebody wrote past us may lack what SSH needs. @throws DroverError INVALID_SSH_USER, INVALID_SSH_HOST */
function reachable(node: RegisteredNode): RegisteredNode {
  const details = { node_name: node.node_name };
  const lacks = (what: string) => `the registered ${what} is empty; set it with PATCH`;
  if (node.ssh_user.trim() === '') throw new DroverError('INVALID_SSH_USER', lacks('ssh_user'), { details });
  if (node.ssh_host.trim() === '') throw new DroverError('INVALID_SSH_HOST', lacks('ssh_host'), { details });
  return node;
}

/** @throws DroverError as the visit failed */
function reachedIn(outcome: VisitOutcome, node_name: string): NodeVisited {
  if (outcome.kind === 'reached') return outcome.visited;
  if (outcome.code === 'DUPLICATE_NODE') throw duplicate(node_name);
  const { code, message, details } = outcome;
  throw new DroverError(code, message, { details });
}

function addedAs(
  node_name: string,
  message: string,
  { round_trip_ms, slow, installed }: NodeVisited,
): NodeAdded {
  const advice = [
    ...(installed
      ? []
      : ['Drover is not at its install_path: install it there before its node worker is started']),
    ...(slow ? [`the way to the node is slow: ${round_trip_ms} ms there and back`] : []),
  ];
  return { success: true, message, node_name, round_trip_ms, advice };
}
