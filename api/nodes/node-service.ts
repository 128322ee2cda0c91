/** The node service: what node workers tell an API, and what comes of it (nodes-and-workers 2). */
import { DroverError } from '../../contracts/errors.js';
import type { NodeHeartbeat, NodeRegistration, ReportedNode } from '../../contracts/node-service.js';
import { HEARTBEAT_INTERVAL_MS, versionsAgree } from '../../domain/node-service.js';
import type { NodeWorkers } from '../../store/node-workers.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { RequestContext } from '../request-context.js';
import type { NodeDirectory } from './node-directory.js';

/** What the service works with. */
export interface NodeServiceDeps {
  nodeWorkers: NodeWorkers;
  directory: NodeDirectory;
  metrics: Metrics;
  /** Of this program. */
  version: string;
  /** False: this installation has the nodes that it is told of, and no others. */
  open: boolean;
}

/** The service. All of it fails with SINGLE_NODE_MODE where it is closed, and STORE_UNAVAILABLE while the store is away. */
export interface NodeService {
  /** @throws DroverError VERSION_MISMATCH; DUPLICATE_NODE where another machine has the id and is alive */
  register: (node: NodeRegistration, context: RequestContext) => Promise<void>;
  /** @returns when the next one is due @throws DroverError NODE_NOT_REGISTERED */
  heartbeat: (nodeId: string, heartbeat: NodeHeartbeat, context: RequestContext) => Promise<number>;
  /** @throws DroverError NODE_NOT_REGISTERED */
  leave: (nodeId: string, context: RequestContext) => Promise<void>;
  list: () => Promise<readonly ReportedNode[]>;
  /** @throws DroverError SINGLE_NODE_MODE where it is closed */
  mustBeOpen: () => void;
}

/** Label of heartbeats that name no node of ours. */
const NOBODY = 'unknown';

/** Builds the service. */
export function createNodeService(deps: NodeServiceDeps): NodeService {
  const { nodeWorkers, directory, metrics, version, open } = deps;
  directory.onLook((nodes) =>
    metrics.nodesOnline.set(nodes.filter(({ state }) => state === 'online').length),
  );

  function mustBeOpen(): void {
    if (open) return;
    const message = 'this installation takes no nodes but those of DROVER_NODES';
    throw new DroverError('SINGLE_NODE_MODE', message);
  }

  return {
    mustBeOpen,
    register: (node, { log }) =>
      counted(
        (outcome) => metrics.nodeRegistrations.inc({ outcome }),
        async () => {
          mustBeOpen();
          const { node_id, version: node_version } = node;
          if (!versionsAgree(node_version, version)) throw mismatch(node_version, version);
          if ((await nodeWorkers.register(node)) === undefined) throw otherMachine(node_id);
          log.info({ event: 'node_registered', node_id, node_version }, 'a node has registered');
          await directory.refresh();
        },
      ),
    heartbeat: (nodeId, heartbeat, { log }) => {
      let node_id = NOBODY;
      return counted(
        (outcome) => metrics.nodeHeartbeats.inc({ node_id, outcome }),
        async () => {
          mustBeOpen();
          if (directory.stateOf(nodeId) !== undefined) node_id = nodeId;
          if ((await nodeWorkers.heard(nodeId, heartbeat)) === undefined) throw notRegistered(nodeId);
          node_id = nodeId;
          const { fatal } = heartbeat;
          if (fatal !== undefined)
            log.error({ event: 'node_fatal', node_id, reason: fatal }, 'a node has failed');
          if (directory.stateOf(nodeId) !== 'online' || fatal !== undefined) await directory.refresh();
          return HEARTBEAT_INTERVAL_MS;
        },
      );
    },
    leave: (nodeId, { log }) =>
      counted(
        (outcome) => metrics.nodeDeregistrations.inc({ outcome }),
        async () => {
          mustBeOpen();
          if ((await nodeWorkers.leave(nodeId)) === undefined) throw notRegistered(nodeId);
          log.info({ event: 'node_deregistered', node_id: nodeId }, 'a node has taken its leave');
          await directory.refresh();
        },
      ),
    list() {
      mustBeOpen();
      return directory.refresh();
    },
  };
}

/** Does the work and counts how it ended: `ok`, or by its error's code in lower case (B-NAPI-013). */
async function counted<T>(count: (outcome: string) => void, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    count('ok');
    return result;
  } catch (err) {
    count(err instanceof DroverError ? err.code.toLowerCase() : 'internal');
    throw err;
  }
}

function mismatch(node_version: string, control_plane_version: string): DroverError {
  const [message, hint] = [
    `the node runs version ${node_version}, and this API ${control_plane_version}: they must be of one minor line`,
    'bring both to the same version; "drover nodes install" does it on a registered node',
  ];
  return new DroverError('VERSION_MISMATCH', message, {
    details: { node_version, control_plane_version },
    hint,
  });
}

function otherMachine(node_id: string): DroverError {
  const message =
    'another machine has registered under this id, and is alive; give one of them another DROVER_NODE_ID';
  return new DroverError('DUPLICATE_NODE', message, { details: { node_id } });
}

/** What is said of an id that no registered node has. */
export function notRegistered(node_id: string): DroverError {
  const message = 'no node of this id is registered; register it with POST /v2/nodes/register';
  return new DroverError('NODE_NOT_REGISTERED', message, { details: { node_id } });
}
