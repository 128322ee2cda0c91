/** Models of the catalogue: verify their files, retire and reactivate them (control-plane 6). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { stateAccepted, stateRequest, verificationAccepted } from '../../../contracts/model.js';
import { contextOf } from '../../request-context.js';
import { refusals } from '../refusals.js';
import { modelParams, type ModelRoutesOptions } from './models.js';

/** `POST /v2/catalog/models/:id/verify`, `POST /v2/catalog/models/:id/state`. */
export const modelStateRoutes: FastifyPluginCallbackZod<ModelRoutesOptions> = (app, { catalog }, done) => {
  app.post(
    '/v2/catalog/models/:id/verify',
    {
      config: { audit: 'model_verified' },
      schema: {
        operationId: 'verifyModel',
        summary: "Compare a model's files with its digest",
        description:
          'Answers with the outcome, or with `running` after two seconds while large files are being read; then ' +
          '`last_verified_ms` tells when it is done. The digest of a folder is that of the lines `<hex>  <path>` of ' +
          'its files, sorted by path.',
        tags: ['catalog'],
        params: modelParams,
        response: { 202: verificationAccepted, ...refusals(400, 404, 429, 503) },
      },
    },
    async (request, reply) => reply.code(202).send(await catalog.verify(request.params.id)),
  );

  app.post(
    '/v2/catalog/models/:id/state',
    {
      config: { audit: 'model_state_set' },
      schema: {
        operationId: 'setModelState',
        summary: 'Retire or reactivate a model',
        description: 'A retired model gets no new task; its files are kept.',
        tags: ['catalog'],
        params: modelParams,
        body: stateRequest,
        response: { 202: stateAccepted, ...refusals(400, 404, 413, 415, 503) },
      },
    },
    async (request, reply) => {
      const { state, deadline_ms } = request.body;
      request.auditDetails = { state };
      const answer = await catalog.setState(request.params.id, state, deadline_ms, contextOf(request));
      return reply.code(202).send(answer);
    },
  );
  done();
};
