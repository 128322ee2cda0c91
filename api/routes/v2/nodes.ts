/** Node workers register, report and take their leave (nodes-and-workers 2): with the token of the nodes. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  heartbeatHeard,
  nodeHeartbeat,
  nodeRegistered,
  nodeRegistration,
  reportedNodes,
} from '../../../contracts/node-service.js';
import { poolId } from '../../../contracts/task.js';
import type { NodeService } from '../../nodes/node-service.js';
import { requireNode, type NodeGuardOptions } from '../../nodes/require-node.js';
import { contextOf } from '../../request-context.js';
import { keylessRefusals } from '../refusals.js';

/** What the routes call. */
export interface NodeRoutesOptions extends NodeGuardOptions {
  nodeService: NodeService;
}

const params = z.object({ id: poolId });
const security = [{ nodeToken: [] }];

/** `POST /v2/nodes/register`, `POST /v2/nodes/:id/heartbeat`, `DELETE /v2/nodes/:id`, `GET /v2/nodes`. */
export const nodeRoutes: FastifyPluginCallbackZod<NodeRoutesOptions> = (app, options, done) => {
  const { nodeService } = options;

  app.post(
    '/v2/nodes/register',
    {
      config: { keyless: true, audit: 'node_registered' },
      onRequest: requireNode(options),
      schema: {
        operationId: 'registerNode',
        summary: 'A node worker says where it is',
        description:
          'Needs the token of the nodes, or a key of the role `node`, as bearer. The node gets tasks from its first heartbeat on; the same again refreshes.',
        tags: ['nodes'],
        security,
        body: nodeRegistration,
        response: { 200: nodeRegistered, ...keylessRefusals(400, 401, 403, 409, 413, 415, 500, 503) },
      },
    },
    async (request) => {
      const { node_id } = request.body;
      request.auditDetails = { node_id };
      await nodeService.register(request.body, contextOf(request));
      return { success: true as const, message: `node ${node_id} is registered`, node_id };
    },
  );

  app.post(
    '/v2/nodes/:id/heartbeat',
    {
      config: { keyless: true },
      onRequest: requireNode(options),
      schema: {
        operationId: 'hearNode',
        summary: 'A node worker says how its pools stand',
        description: 'After 30 s without one the node is `offline`, and gets no task.',
        tags: ['nodes'],
        security,
        params,
        body: nodeHeartbeat,
        response: { 200: heartbeatHeard, ...keylessRefusals(400, 401, 403, 404, 413, 415, 500, 503) },
      },
    },
    async (request) => {
      const { params: at, body } = request;
      const next_heartbeat_ms = await nodeService.heartbeat(at.id, body, contextOf(request));
      return { success: true as const, next_heartbeat_ms };
    },
  );

  app.delete(
    '/v2/nodes/:id',
    {
      config: { keyless: true, audit: 'node_deregistered' },
      onRequest: requireNode(options),
      schema: {
        operationId: 'deregisterNode',
        summary: 'A node worker takes its leave',
        description: 'It gets no task from now on; those that run there go on as long as it does.',
        tags: ['nodes'],
        security,
        params,
        response: {
          204: z.undefined().meta({ description: 'It has left' }),
          ...keylessRefusals(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      await nodeService.leave(request.params.id, contextOf(request));
      return reply.code(204).send();
    },
  );

  app.get(
    '/v2/nodes',
    {
      config: { keyless: true },
      onRequest: requireNode(options, { operators: true }),
      schema: {
        operationId: 'listReportingNodes',
        summary: 'The nodes that report, and what they said last',
        description: "With the token of the nodes, or an operator's key.",
        tags: ['nodes'],
        security: [...security, { apiKey: [] }, { bearer: [] }],
        response: { 200: reportedNodes, ...keylessRefusals(401, 403, 500, 503) },
      },
    },
    async () => {
      const nodes = [...(await nodeService.list())];
      return { nodes, count: nodes.length };
    },
  );
  done();
};
