/** All that the API does about nodes: those that report, and the registry with what is done over SSH. */
import type { FastifyPluginAsync } from 'fastify';
import type { Settings } from '../../contracts/settings.js';
import type { Nodes } from '../../store/nodes.js';
import { createAskNodeHealth } from '../clients/node-health.js';
import type { NodeLink } from '../clients/node-link.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { NodeInstalls } from '../clients/node-installs.js';
import { createNodeRegistry, type NodeRegistryDeps } from '../registry/node-registry.js';
import { beehiveInstallRoutes } from '../routes/v2/beehive-install.js';
import { beehiveRoutes } from '../routes/v2/beehives.js';
import { nodeDrainRoutes } from '../routes/v2/node-drain.js';
import { nodeHealthRoutes } from '../routes/v2/node-health.js';
import { nodeRoutes } from '../routes/v2/nodes.js';
import type { PoolBoard } from '../tasks/pool-board.js';
import { createNodeDrains } from './drain-node.js';
import { createHealthChain } from './health-chain.js';
import { createNodeService, type NodeServiceDeps } from './node-service.js';
import type { NodeGuardOptions } from './require-node.js';

/** What the routes of nodes work with. */
export interface NodesOptions
  extends NodeGuardOptions, Omit<NodeRegistryDeps, 'nodes'>, Omit<NodeServiceDeps, 'open'> {
  settings: Settings;
  board: PoolBoard;
  registered: Nodes;
  installs: NodeInstalls;
  links: Pick<NodeLink, 'nodeIds' | 'workers'>;
  records: TaskRecords;
  addressOf: (nodeId: string) => string | undefined;
}

/** Routes of nodes. */
export const nodesOf: FastifyPluginAsync<NodesOptions> = async (app, options) => {
  const { settings, registered, installs, token, keys } = options;
  const open = settings.DROVER_NODE_REGISTRATION === 'open';
  const { nodeWorkers, directory, metrics, version } = options;
  const nodeService = createNodeService({ nodeWorkers, directory, metrics, version, open });
  await app.register(nodeRoutes, { nodeService, token, keys });
  const { links, records, addressOf } = options;
  await app.register(nodeHealthRoutes, {
    readHealthChain: createHealthChain({ nodes: links, records, version }),
    askNodeHealth: createAskNodeHealth({ addressOf }),
  });
  const { board, visits, readPools, drainPool } = options;
  const drains = { nodeWorkers, directory, board, readPools, drainPool, service: nodeService };
  await app.register(nodeDrainRoutes, { nodeDrains: createNodeDrains(drains) });
  const nodeRegistry = createNodeRegistry({ nodes: registered, visits, readPools, drainPool });
  await app.register(beehiveRoutes, { nodeRegistry });
  await app.register(beehiveInstallRoutes, { nodeRegistry, installs });
};
