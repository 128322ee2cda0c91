/** Drover is brought to a registered node over SSH, and whoever wants to watches (B-SSH-009). For operators. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DroverError } from '../../../contracts/errors.js';
import { installOrder } from '../../../contracts/node-install.js';
import { operationAccepted } from '../../../contracts/pool.js';
import { nodeName } from '../../../contracts/registered-node.js';
import type { NodeInstalls } from '../../clients/node-installs.js';
import type { NodeRegistry } from '../../registry/node-registry.js';
import { readStepPlace, relayInstall } from '../../relay/relay-install.js';
import { eventStream } from '../event-stream.js';
import { refusals } from '../refusals.js';
import { operationBody } from './operation-body.js';

/** What the routes call. */
export interface BeehiveInstallOptions {
  nodeRegistry: NodeRegistry;
  installs: NodeInstalls;
}

const params = z.object({ id: nodeName });
const eventId = z
  .string()
  .refine((id) => readStepPlace(id) !== undefined, 'must be the id of an event')
  .transform(readStepPlace);

/** `POST /v2/registry/beehives/:id/install`, `GET /v2/registry/beehives/:id/events`. */
export const beehiveInstallRoutes: FastifyPluginCallbackZod<BeehiveInstallOptions> = (
  app,
  { nodeRegistry, installs },
  done,
) => {
  app.post(
    '/v2/registry/beehives/:id/install',
    {
      config: { audit: 'node_installed' },
      schema: {
        operationId: 'installNode',
        summary: 'Install Drover on a registered node and start its node worker',
        description:
          'Over SSH: its branch is fetched into `install_path`, built, verified, told its settings and started; the end is its first report. ' +
          'The same again while one runs follows that one; afterwards it brings the node up to date.',
        tags: ['registry'],
        params,
        body: installOrder,
        response: { 202: operationAccepted, ...refusals(400, 404, 413, 415, 503) },
      },
    },
    async (request, reply) => {
      const {
        last_connected_unix: _at,
        status: _status,
        ...node
      } = await nodeRegistry.get(request.params.id);
      const input = { node, order: request.body, correlation_id: request.id };
      const operationId = await installs.start(input);
      request.log.info({ event: 'node_install', node_name: node.node_name }, 'an installation was ordered');
      return operationBody<never>(reply, { operationId });
    },
  );

  app.get(
    '/v2/registry/beehives/:id/events',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamNode',
        summary: 'The last installation of a node, as it happens',
        description:
          'Frames `step` (a `NodeStepEvent`) from the first one on, then `end` (a `NodeOperation`), which ends the stream. ' +
          'After the `id:` of a frame a reader goes on by `Last-Event-ID`.',
        tags: ['registry'],
        params,
        headers: z.looseObject({
          'last-event-id': eventId.optional().meta({ description: 'last event that the reader has' }),
        }),
        response: { 200: { description: 'The events', content: eventStream }, ...refusals(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const first = await installs.read(id);
      if (first === undefined) throw new DroverError('OPERATION_NOT_FOUND', 'the node was never installed');
      const stream = app.openEventStream(reply, {});
      void relayInstall(first, () => installs.read(id), stream, request.headers['last-event-id']);
      return reply;
    },
  );
  done();
};
