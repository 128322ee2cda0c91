/** API keys: make, list, revoke. For operators. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { keyList, keyMade, keyRequest } from '../../../contracts/key.js';
import { lookupId } from '../../../contracts/safe-text.js';
import type { KeyBook } from '../../keys/key-book.js';
import { refusals } from '../refusals.js';

/** `POST, GET /v2/keys`, `DELETE /v2/keys/:id`. */
export const keyRoutes: FastifyPluginCallbackZod<{ keyBook: KeyBook }> = (app, { keyBook }, done) => {
  app.post(
    '/v2/keys',
    {
      config: { audit: 'key_made' },
      schema: {
        operationId: 'makeKey',
        summary: 'Make a key',
        description: 'The key itself is in this answer and nowhere else: only its digest is kept.',
        tags: ['keys'],
        body: keyRequest,
        response: { 201: keyMade, ...refusals(400, 409, 413, 415, 503) },
      },
    },
    async (request, reply) => {
      const { id: key_id, ...made } = await keyBook.make(request.body);
      const { name, role, fingerprint } = made;
      request.auditDetails = { key_id, name, role, fingerprint };
      return reply.code(201).send({ id: key_id, ...made });
    },
  );

  app.get(
    '/v2/keys',
    {
      schema: {
        operationId: 'listKeys',
        summary: 'All keys, the newest first',
        description: 'Those of the settings are not among them. A revoked key is listed for 30 days.',
        tags: ['keys'],
        response: { 200: keyList, ...refusals(503) },
      },
    },
    async () => ({ keys: await keyBook.list() }),
  );

  app.delete(
    '/v2/keys/:id',
    {
      config: { audit: 'key_revoked' },
      schema: {
        operationId: 'revokeKey',
        summary: 'Revoke a key',
        description: 'This API refuses it at once, others within a second. Again changes nothing.',
        tags: ['keys'],
        params: z.object({ id: lookupId(64) }),
        response: { 204: z.undefined().meta({ description: 'Revoked' }), ...refusals(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const { name, role, fingerprint } = await keyBook.revoke(request.params.id);
      request.auditDetails = { name, role, fingerprint };
      return reply.code(204).send();
    },
  );
  done();
};
