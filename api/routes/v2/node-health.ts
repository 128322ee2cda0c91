/** How all parts are, and whether one node is there. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { healthChain, nodeAlive } from '../../../contracts/health.js';
import { lookupId } from '../../../contracts/safe-text.js';
import type { AskNodeHealth } from '../../clients/node-health.js';
import type { ReadHealthChain } from '../../nodes/health-chain.js';
import { contextOf } from '../../request-context.js';
import { refusals } from '../refusals.js';

/** What the routes call. */
export interface NodeHealthOptions {
  readHealthChain: ReadHealthChain;
  askNodeHealth: AskNodeHealth;
}

/** `GET /v2/health`, `GET /v2/nodes/:id/health`. */
export const nodeHealthRoutes: FastifyPluginCallbackZod<NodeHealthOptions> = (app, options, done) => {
  app.get(
    '/v2/health',
    {
      schema: {
        operationId: 'readHealth',
        summary: 'How all parts are',
        description: 'This API, each node and each engine. 200 whatever it says: `status` is the verdict.',
        tags: ['operations'],
        response: { 200: healthChain, ...refusals(400) },
      },
    },
    (request) => options.readHealthChain(contextOf(request)),
  );

  app.get(
    '/v2/nodes/:id/health',
    {
      schema: {
        operationId: 'readNodeHealth',
        summary: 'Whether a node is there',
        description:
          'Its gateway is asked three times, 200 and 400 ms apart, each for 10 s at most; an answer that is none is asked for once.',
        tags: ['nodes'],
        params: z.object({ id: lookupId(512) }),
        response: { 200: nodeAlive, ...refusals(400, 404, 502, 504) },
      },
    },
    (request) => options.askNodeHealth(request.params.id, contextOf(request)),
  );
  done();
};
