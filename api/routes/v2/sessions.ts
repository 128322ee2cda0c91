/** Sessions: read, delete (data-plane 6). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { sessionView } from '../../../contracts/session.js';
import { taskId } from '../../../contracts/task.js';
import type { SessionBook } from '../../sessions/session-book.js';
import { refusals } from '../refusals.js';

const params = z.object({ id: taskId });
const query = z.object({
  create: z
    .enum(['true', 'false'])
    .default('true')
    .meta({ description: '`false`: a session that is not there is 404' }),
});

/** `GET, DELETE /v2/sessions/:id`. */
export const sessionRoutes: FastifyPluginCallbackZod<{ sessionBook: SessionBook }> = (
  app,
  { sessionBook },
  done,
) => {
  app.get(
    '/v2/sessions/:id',
    {
      config: { role: 'client' },
      exposeHeadRoute: false,
      schema: {
        operationId: 'readSession',
        summary: 'A session',
        description: 'One that is not there is made, unless `create=false`. Looking at it is no use of it.',
        tags: ['sessions'],
        params,
        querystring: query,
        response: { 200: sessionView, ...refusals(400, 404, 503) },
      },
    },
    (request) => sessionBook.read(request.params.id, request.query.create === 'true'),
  );

  app.delete(
    '/v2/sessions/:id',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'deleteSession',
        summary: 'Forget a session',
        description: 'Its turns and budgets begin anew. Tasks that run go on. Again changes nothing.',
        tags: ['sessions'],
        params,
        response: { 204: z.undefined().meta({ description: 'Forgotten' }), ...refusals(400, 503) },
      },
    },
    async (request, reply) => {
      await sessionBook.remove(request.params.id);
      return reply.code(204).send();
    },
  );
  done();
};
