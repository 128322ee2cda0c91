/** Engines that others run offer themselves: with the token of the nodes or a node's key, never with a client's (control-plane 5). */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { workerRefusal, workerRegistered, workerRegistration } from '../../../contracts/worker.js';
import { fingerprint, sameSecret } from '../../../security/constant-time.js';
import type { KnownKeys } from '../../keys/known-keys.js';
import type { RegisterWorker } from '../../tasks/register-worker.js';
import { contextOf } from '../../request-context.js';
import { keylessRefusals } from '../refusals.js';

/** What the route calls. */
export interface WorkerRoutesOptions {
  registerWorker: RegisterWorker;
  /** Token that workers and nodes share with the API. */
  token: () => string;
  /** Keys of the role `node` do as well. */
  keys: Pick<KnownKeys, 'find'>;
}

/** Exactly this scheme, one or more blanks, a token of printable characters (B-AUTH-013). */
const BEARER = /^Bearer +([\x21-\x7e]{1,8192})$/;
const REFUSALS = { MISSING_TOKEN: 40_101, BAD_TOKEN: 40_102 } as const;

/** `POST /v2/workers/register`. */
export const workerRoutes: FastifyPluginCallbackZod<WorkerRoutesOptions> = (
  app,
  { registerWorker, token, keys },
  done,
) => {
  app.post(
    '/v2/workers/register',
    {
      config: { keyless: true, audit: 'worker_registered' },
      schema: {
        operationId: 'registerWorker',
        summary: 'Offer an engine that something else runs',
        description:
          'Needs the token of the nodes, or a key of the role `node`, as bearer. With `url` the engine gets work once it has answered its health and ' +
          'generated a token; the same pool and replica again bind anew.',
        tags: ['workers'],
        security: [{ nodeToken: [] }],
        body: workerRegistration,
        response: {
          200: workerRegistered,
          401: workerRefusal,
          ...keylessRefusals(400, 403, 409, 413, 415, 429, 500, 503),
        },
      },
      onRequest: async (request, reply) => {
        const given = BEARER.exec(request.headers.authorization ?? '')?.[1];
        if (given === undefined) return refuse('MISSING_TOKEN', request, reply);
        request.identity = `token:${fingerprint(given)}`;
        const isNode = sameSecret(given, token()) || (await keys.find(given))?.role === 'node';
        if (!isNode) return refuse('BAD_TOKEN', request, reply);
        return undefined;
      },
    },
    async (request) => {
      const { pool_id, replica_id } = request.body;
      const identity = request.identity ?? '';
      request.log.info({ event: 'worker_register', identity, pool_id, replica_id }, 'a worker registers');
      request.auditDetails = { pool_id, replica_id };
      const { bound } = await registerWorker(request.body, contextOf(request));
      return { ok: true as const, identity, pool_id, replica_id, bound };
    },
  );
  done();
};

function refuse(
  error_code: keyof typeof REFUSALS,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { id, log, identity } = request;
  request.server.noteAccess(request, identity ?? undefined, error_code);
  log.warn(
    { event: 'auth_failed', identity: identity ?? undefined, path: '/v2/workers/register', code: error_code },
    'a token was refused',
  );
  const body = { code: REFUSALS[error_code], message: error_code, error_code, correlation_id: id };
  return reply.code(401).header('www-authenticate', 'Bearer').send(body);
}
