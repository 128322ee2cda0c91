/** Nodes are taken out of service and put back (nodes-and-workers 2): by operators. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { nodeDrain, nodeDrained, nodeResumed } from '../../../contracts/node-service.js';
import { poolId } from '../../../contracts/task.js';
import type { NodeDrains } from '../../nodes/drain-node.js';
import { contextOf } from '../../request-context.js';
import { refusals } from '../refusals.js';

const params = z.object({ id: poolId });

/** `POST /v2/nodes/:id/drain`, `POST /v2/nodes/:id/resume`. */
export const nodeDrainRoutes: FastifyPluginCallbackZod<{ nodeDrains: NodeDrains }> = (
  app,
  { nodeDrains },
  done,
) => {
  app.post(
    '/v2/nodes/:id/drain',
    {
      config: { audit: 'node_drained' },
      schema: {
        operationId: 'drainNode',
        summary: 'Take a node out of service',
        description:
          'No task is placed on it from now on, also after a restart of its worker, and every pool of it is drained: what waits ' +
          'goes to other pools that serve its model, and what runs may end within `deadline_ms`.',
        tags: ['nodes'],
        params,
        body: nodeDrain,
        response: { 202: nodeDrained, ...refusals(400, 404, 413, 415, 503) },
      },
    },
    async (request, reply) => {
      const { params: at, body } = request;
      request.auditDetails = { node_id: at.id };
      const drained = await nodeDrains.drain(at.id, body.deadline_ms, contextOf(request));
      return reply.code(202).send(drained);
    },
  );

  app.post(
    '/v2/nodes/:id/resume',
    {
      config: { audit: 'node_resumed' },
      schema: {
        operationId: 'resumeNode',
        summary: 'Put a drained node back into service',
        description:
          'It gets tasks again as soon as a pool of it is ready; pools that were drained need a preload.',
        tags: ['nodes'],
        params,
        response: { 200: nodeResumed, ...refusals(400, 404, 503) },
      },
    },
    (request) => {
      request.auditDetails = { node_id: request.params.id };
      return nodeDrains.resume(request.params.id, contextOf(request));
    },
  );
  done();
};
