/** Artifacts: store a JSON document, read it back by its digest (control-plane 7). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { artifactEntry, artifactLabels, type ArtifactLabels } from '../../../contracts/artifact.js';
import { DroverError } from '../../../contracts/errors.js';
import type { Artifacts } from '../../../store/artifacts.js';
import { invalidParams } from '../../plugins/invalid-params.js';
import { refusals } from '../refusals.js';

/** What the artifact routes call. */
export interface ArtifactRoutesOptions {
  artifacts: Pick<Artifacts, 'put' | 'get'>;
}

/** With or without the name of the digest (C-127). */
const ID = /^(?:sha256:)?([0-9a-f]{64})$/;

/** `POST /v2/artifacts`, `GET /v2/artifacts/:id`. */
export const artifactRoutes: FastifyPluginCallbackZod<ArtifactRoutesOptions> = (app, { artifacts }, done) => {
  app.post(
    '/v2/artifacts',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'storeArtifact',
        summary: 'Store a JSON document',
        description:
          'Its id is the SHA-256 of its canonical JSON (keys sorted, no blanks), so the same content is one artifact. ' +
          'An object may say its `kind` and `tags`.',
        tags: ['artifacts'],
        body: z.unknown(),
        response: { 201: artifactEntry, ...refusals(400, 413, 415, 503) },
      },
      // Before validation, which takes no body for null.
      preValidation: (request, _reply, next) =>
        next(request.body === undefined ? invalidParams([MISSING]) : undefined),
    },
    async (request, reply) => {
      return reply.code(201).send(await artifacts.put(request.body, labelsOf(request.body)));
    },
  );

  app.get(
    '/v2/artifacts/:id',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readArtifact',
        summary: 'A document as it was stored',
        tags: ['artifacts'],
        params: z.object({ id: z.string() }),
        response: { 200: z.unknown().meta({ description: 'The document' }), ...refusals(404, 503) },
      },
    },
    async (request, reply) => {
      const id = ID.exec(request.params.id)?.[1];
      const text = id === undefined ? undefined : await artifacts.get(id);
      if (text === undefined) throw new DroverError('ARTIFACT_NOT_FOUND', 'there is no such artifact');
      return reply
        .type('application/json; charset=utf-8')
        .serializer((body: unknown) => String(body))
        .send(text);
    },
  );
  done();
};

const MISSING = { path: [], code: 'custom', message: 'a JSON document is needed' };

/** @throws DroverError INVALID_PARAMS for a kind that there is not */
function labelsOf(document: unknown): ArtifactLabels {
  const isObject = typeof document === 'object' && document !== null && !Array.isArray(document);
  const labels = artifactLabels.safeParse(isObject ? document : {});
  if (labels.success) return labels.data;
  throw invalidParams(labels.error.issues);
}
