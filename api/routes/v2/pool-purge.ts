/** Purge of a pool (control-plane 4.4). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { operationAccepted } from '../../../contracts/pool.js';
import { purgeOutcome, purgeRequest } from '../../../contracts/purge.js';
import { poolId } from '../../../contracts/task.js';
import { contextOf } from '../../request-context.js';
import type { PurgePool } from '../../tasks/purge.js';
import { refusals } from '../refusals.js';
import { operationBody } from './operation-body.js';

/** `POST /v2/pools/:id/purge`. */
export const poolPurgeRoutes: FastifyPluginCallbackZod<{ purgePool: PurgePool }> = (
  app,
  { purgePool },
  done,
) => {
  app.post(
    '/v2/pools/:id/purge',
    {
      config: { audit: 'pool_purge' },
      schema: {
        operationId: 'purgePool',
        summary: 'Remove a pool and its models',
        description:
          'The pool is drained, then the models that are named are removed with their files in the model cache, then the ' +
          'pool itself. A model that a pool serves is kept, unless it is forced.',
        tags: ['pools'],
        params: z.object({ id: poolId }),
        body: purgeRequest.nullable(), // A request without one is validated as null.
        response: {
          200: purgeOutcome,
          202: operationAccepted,
          ...refusals(400, 404, 409, 413, 415, 503),
        },
      },
    },
    async (request, reply) => {
      const { wait_ms, ...order } = request.body ?? purgeRequest.parse({});
      const answer = await purgePool(request.params.id, order, wait_ms, contextOf(request));
      return operationBody(reply, answer);
    },
  );
  done();
};
