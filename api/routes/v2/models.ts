/** The catalogue of models: make, read, remove (control-plane 6). */
import type { FastifySchemaCompiler } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DroverError } from '../../../contracts/errors.js';
import {
  modelAvailability,
  modelCreated,
  modelEntry,
  modelId,
  modelFilter,
  modelList,
  modelRequest,
  trustHeader,
} from '../../../contracts/model.js';
import type { Catalog } from '../../catalog/catalog.js';
import { invalidParams } from '../../plugins/invalid-params.js';
import { contextOf } from '../../request-context.js';
import { refusals } from '../refusals.js';

/** What the catalogue's routes call. */
export interface ModelRoutesOptions {
  catalog: Catalog;
}

/** Of every route on one model. */
export const modelParams = z.object({ id: modelId });

/** `POST, GET /v2/catalog/models`, `GET, DELETE /v2/catalog/models/:id`, `GET /v2/catalog/availability`. */
export const catalogRoutes: FastifyPluginCallbackZod<ModelRoutesOptions> = (app, { catalog }, done) => {
  app.post(
    '/v2/catalog/models',
    {
      config: { audit: 'model_saved' },
      schema: {
        operationId: 'saveModel',
        summary: 'Make or change a model of the catalogue',
        description: 'Of a model that is known only the given fields change; its lifecycle stays.',
        tags: ['catalog'],
        body: modelRequest,
        headers: trustHeader,
        response: { 201: modelCreated, ...refusals(400, 413, 415, 503) },
      },
      validatorCompiler: modelValidator,
    },
    async (request, reply) => {
      const asked = request.headers['x-trust-policy'];
      request.auditDetails = { model_id: request.body.id };
      return reply.code(201).send(await catalog.save(request.body, asked, contextOf(request)));
    },
  );

  app.get(
    '/v2/catalog/models',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'listModels',
        summary: 'The models of the catalogue, all or those of one provider',
        tags: ['catalog'],
        querystring: modelFilter,
        response: { 200: modelList, ...refusals(400, 503) },
      },
    },
    async (request) => ({ models: await catalog.list(request.query) }),
  );

  app.get(
    '/v2/catalog/models/:id',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readModel',
        summary: 'A model of the catalogue',
        tags: ['catalog'],
        params: modelParams,
        response: { 200: modelEntry, ...refusals(400, 404, 503) },
      },
    },
    (request) => catalog.get(request.params.id),
  );

  app.delete(
    '/v2/catalog/models/:id',
    {
      config: { audit: 'model_removed' },
      schema: {
        operationId: 'removeModel',
        summary: 'Remove a model and its files',
        tags: ['catalog'],
        params: modelParams,
        response: { 204: z.undefined().meta({ description: 'Removed' }), ...refusals(400, 404, 409, 503) },
      },
    },
    async (request, reply) => {
      await catalog.remove(request.params.id, contextOf(request));
      return reply.code(204).send();
    },
  );

  app.get(
    '/v2/catalog/availability',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readAvailability',
        summary: 'Which node serves which model',
        tags: ['catalog'],
        response: { 200: modelAvailability, ...refusals() },
      },
    },
    (request) => catalog.availability(contextOf(request)),
  );
  done();
};

/** The contract's own words for a missing id, also under the name that its older clients read (C-116). */
const modelValidator: FastifySchemaCompiler<unknown> = ({ httpPart }) => {
  const schema = httpPart === 'body' ? modelRequest : trustHeader;
  return (sent: unknown) => {
    const parsed = schema.safeParse(sent ?? {});
    if (parsed.success) return { value: parsed.data };
    const { code, message, extras } = invalidParams(parsed.error.issues);
    return { error: new DroverError(code, message, { ...extras, error: message }) };
  };
};
