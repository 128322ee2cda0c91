/** Operations on pools as those who started them follow them, and the events of a pool (control-plane 4.5). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DroverError } from '../../../contracts/errors.js';
import { nodeOperation } from '../../../contracts/node-install.js';
import { operation } from '../../../contracts/operation.js';
import { poolId } from '../../../contracts/task.js';
import { lookupId } from '../../../contracts/safe-text.js';
import { readInstallWorkflowId, readPoolWorkflowId } from '../../../domain/identity.js';
import type { NodeInstalls } from '../../clients/node-installs.js';
import type { TaskRecords } from '../../clients/task-records.js';
import { createPoolWatch, readPlace } from '../../relay/relay-pool.js';
import { contextOf } from '../../request-context.js';
import type { LookAtPool } from '../../tasks/pool-events.js';
import { eventStream } from '../event-stream.js';
import { refusals } from '../refusals.js';

/** What the routes use. */
export interface OperationRoutesOptions {
  records: TaskRecords;
  lookAtPool: LookAtPool;
  installs: Pick<NodeInstalls, 'read'>;
}

const eventId = z
  .string()
  .refine((id) => readPlace(id) !== undefined, 'must be the id of an event')
  .transform(readPlace);

const EVENTS = `Frames \`step\` (a \`PoolStepEvent\`: an operation has begun a step), \`end\` (an \`Operation\` that has ended) and
\`status\` (a \`PoolHealth\`; first of all, and whenever it has changed). The last run of each operation is told from its
first step. Steps and ends have an \`id:\`, after which a reader goes on by \`Last-Event-ID\`. The stream stays open.`;

/** `GET /v2/operations/:id`, `GET /v2/pools/:id/events`. */
export const operationRoutes: FastifyPluginCallbackZod<OperationRoutesOptions> = (
  app,
  { records, lookAtPool, installs },
  done,
) => {
  const watch = createPoolWatch({ look: lookAtPool, call: { correlationId: 'pool-events' } });

  app.get(
    '/v2/operations/:id',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readOperation',
        summary: 'How a preload, drain or reload of a pool or an installation of a node stands',
        description: 'Of the last run under this id, while it runs and as long as its history is kept.',
        tags: ['pools'],
        params: z.object({ id: lookupId(256) }),
        response: { 200: z.union([operation, nodeOperation]), ...refusals(400, 404, 503) },
      },
    },
    async (request) => {
      const { id } = request.params;
      const node = readInstallWorkflowId(id);
      const found =
        node !== undefined
          ? await installs.read(node)
          : readPoolWorkflowId(id) === undefined
            ? undefined
            : await records.operation(id);
      if (found === undefined) throw new DroverError('OPERATION_NOT_FOUND', 'there is no such operation');
      return found;
    },
  );

  app.get(
    '/v2/pools/:id/events',
    {
      config: { role: 'client' },
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamPool',
        summary: 'What is done to a pool, as it happens',
        description: EVENTS,
        tags: ['pools'],
        params: z.object({ id: poolId }),
        headers: z.looseObject({
          'last-event-id': eventId.optional().meta({ description: 'last event that the reader has' }),
        }),
        response: {
          200: { description: 'The events', content: eventStream },
          ...refusals(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const look = await lookAtPool(id, contextOf(request));
      const stream = app.openEventStream(reply, {});
      watch.relay(id, look, stream, request.headers['last-event-id']);
      return reply;
    },
  );
  done();
};
