/** Models that nodes fetch: ask for one, read how it stands, pause, resume, cancel (nodes-and-workers 3). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { download, downloadRequest, type Download } from '../../../contracts/download.js';
import { DroverError } from '../../../contracts/errors.js';
import { lookupId } from '../../../contracts/safe-text.js';
import type { Downloads } from '../../catalog/downloads.js';
import { contextOf } from '../../request-context.js';
import { refusals } from '../refusals.js';

/** What the routes call. */
export interface DownloadRoutesOptions {
  downloads: Downloads;
}

const params = z.object({ id: lookupId(384) });
const DEEDS = {
  pause: 'Pause a download; what is there is kept',
  resume: 'Go on with a paused download',
  cancel: 'Cancel a download; what is there of it is thrown away',
} as const;

/** `POST /v2/catalog/downloads`, `GET /v2/catalog/downloads/:id`, `POST …/:id/{pause,resume,cancel}`. */
export const downloadRoutes: FastifyPluginCallbackZod<DownloadRoutesOptions> = (app, { downloads }, done) => {
  app.post(
    '/v2/catalog/downloads',
    {
      config: { audit: 'model_download' },
      schema: {
        operationId: 'downloadModel',
        summary: 'Fetch a model to a node',
        description:
          'Who asks for a model that is being fetched joins that download; one that is there is answered with `completed`. ' +
          'A download that fails keeps what it has, and asking again goes on from it.',
        tags: ['catalog'],
        body: downloadRequest,
        response: {
          200: download,
          202: download,
          ...refusals(400, 404, 409, 413, 415, 502, 503, 504, 507),
        },
      },
    },
    async (request, reply) => {
      const answer = await downloads.ask(request.body, contextOf(request));
      request.auditDetails = { download_id: answer.download_id };
      return reply.code(isOpen(answer) ? 202 : 200).send(mustNotHaveFailed(answer));
    },
  );

  app.get(
    '/v2/catalog/downloads/:id',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readDownload',
        summary: 'How a download stands',
        description: 'Of the last one under this id, while it runs and as long as its history is kept.',
        tags: ['catalog'],
        params,
        response: { 200: download, ...refusals(400, 404, 503) },
      },
    },
    (request) => downloads.read(request.params.id),
  );

  for (const deed of ['pause', 'resume', 'cancel'] as const) {
    app.post(
      `/v2/catalog/downloads/:id/${deed}`,
      {
        config: { audit: `model_download_${deed}` },
        schema: {
          operationId: `${deed}Download`,
          summary: DEEDS[deed],
          tags: ['catalog'],
          params,
          response: { 202: download, ...refusals(400, 404, 409, 503) },
        },
      },
      async (request, reply) => reply.code(202).send(await downloads.tell(request.params.id, deed)),
    );
  }
  done();
};

function isOpen({ status }: Download): boolean {
  return status === 'running' || status === 'paused';
}

/** Who waited for the end is told as any caller is whose request fails. */
function mustNotHaveFailed(answer: Download): Download {
  if (answer.status === 'cancelled') throw new DroverError('CANCELLED', 'the download was cancelled');
  if (answer.error === null) return answer;
  throw new DroverError(answer.error.code, answer.error.message);
}
