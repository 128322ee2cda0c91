/** What this installation can do, and which build it is (control-plane 3). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { buildVersion, capabilities, type BuildVersion } from '../../../contracts/meta.js';
import { contextOf } from '../../request-context.js';
import type { ReadCapabilities } from '../../tasks/capabilities.js';
import { refusals } from '../refusals.js';

/** What the routes answer from. */
export interface MetaRoutesOptions {
  readCapabilities: ReadCapabilities;
  version: BuildVersion;
}

/** `GET /v2/meta/capabilities`, `GET /v2/meta/version`. */
export const metaRoutes: FastifyPluginCallbackZod<MetaRoutesOptions> = (app, options, done) => {
  app.get(
    '/v2/meta/capabilities',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readCapabilities',
        summary: 'What can be asked for now',
        tags: ['operations'],
        response: { 200: capabilities, ...refusals() },
      },
    },
    (request) => options.readCapabilities(contextOf(request)),
  );

  app.get(
    '/v2/meta/version',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readVersion',
        summary: 'Which build answers',
        tags: ['operations'],
        response: { 200: buildVersion, ...refusals() },
      },
    },
    () => options.version,
  );
  done();
};
