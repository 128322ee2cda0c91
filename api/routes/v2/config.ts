/** The configuration file, for operators. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { configReload } from '../../../contracts/config-reload.js';
import type { PoolConfig } from '../../config/pool-config.js';
import { contextOf } from '../../request-context.js';
import { refusals } from '../refusals.js';

/** `POST /v2/config/reload`. */
export const configRoutes: FastifyPluginCallbackZod<{ poolConfig: PoolConfig }> = (
  app,
  { poolConfig },
  done,
) => {
  app.post(
    '/v2/config/reload',
    {
      schema: {
        operationId: 'reloadConfig',
        summary: 'Read the configuration file again',
        description:
          'The file is read whole: with one problem in it nothing is changed. The answer comes at once; pools are ' +
          'preloaded, reloaded and drained behind it, and their events tell how it goes.',
        tags: ['pools'],
        response: { 200: configReload, ...refusals(400) },
      },
    },
    (request) => Promise.resolve(poolConfig.reload(contextOf(request))),
  );
  done();
};
