/** Downloads in the words of node managers (nodes-and-workers 3): ask, follow the progress, register what is there already. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { downloadAnswer, downloadAsk } from '../../../contracts/download.js';
import { modelEntry } from '../../../contracts/model.js';
import { lookupId } from '../../../contracts/safe-text.js';
import { isLocalProgram } from '../../plugins/auth.js';
import { createDownloadWatch } from '../../relay/relay-download.js';
import { contextOf } from '../../request-context.js';
import { eventStream } from '../event-stream.js';
import { openAiRefusals } from '../refusals.js';
import type { DownloadRoutesOptions } from '../v2/downloads.js';

/** A model that is there is told of at once; a longer wait would keep those from the progress whose model is not. */
const PRESENT_WAIT_MS = 1_000;

const FRAMES = `Frames \`{"stage":"downloading", bytes_downloaded, bytes_total, speed_mbps, eta_ms, paused}\` whenever they change,
then \`{"stage":"complete", local_path, digest}\` or \`{"stage":"error", code, message}\`, then \`[DONE]\`. The first frame is
always how the download stands, however late the reader comes; \`bytes_total\` is null while nobody has said.`;

const registration = z
  .object({
    model_ref: z.string().max(2048),
    local_path: z.string().max(4096).meta({ description: 'absolute, in the model cache' }),
  })
  .meta({ id: 'ModelRegistration' });

/** `POST /v1/models/download`, `GET /v1/models/download/progress`, `POST /v1/models/register`. */
export const modelDownloadRoutes: FastifyPluginCallbackZod<DownloadRoutesOptions> = (
  app,
  { downloads },
  done,
) => {
  const watch = createDownloadWatch((id) => downloads.read(id));

  app.post(
    '/v1/models/download',
    {
      config: { audit: 'model_download' },
      schema: {
        summary: 'Fetch a model to a node',
        description: 'As `POST /v2/catalog/downloads`; `local_path` is there when the model is.',
        tags: ['catalog'],
        body: downloadAsk,
        response: { 200: downloadAnswer, ...openAiRefusals(400, 404, 409, 413, 415, 503) },
      },
    },
    async (request) => {
      const order = { ...request.body, wait_ms: PRESENT_WAIT_MS };
      const { download_id, local_path } = await downloads.ask(order, contextOf(request));
      request.auditDetails = { download_id };
      return { download_id, ...(local_path === null ? {} : { local_path }) };
    },
  );

  app.get(
    '/v1/models/download/progress',
    {
      config: { role: 'client' },
      exposeHeadRoute: false,
      schema: {
        summary: 'How far a download is, as it goes',
        description: FRAMES,
        tags: ['catalog'],
        querystring: z.object({ id: lookupId(384) }),
        response: {
          200: { description: 'The frames', content: eventStream },
          ...openAiRefusals(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      const now = await downloads.read(request.query.id);
      watch.relay(now, app.openEventStream(reply, {}));
      return reply;
    },
  );

  app.post(
    '/v1/models/register',
    {
      config: { audit: 'model_saved' },
      schema: {
        summary: 'Put a model that stands in the model cache into the catalogue',
        description: 'Of callers on this machine alone: others have no paths here.',
        tags: ['catalog'],
        body: registration,
        response: { 201: modelEntry, ...openAiRefusals(400, 413, 415, 503) },
      },
    },
    async (request, reply) => {
      const entry = await downloads.register(request.body, isLocalProgram(request));
      request.auditDetails = { model_id: entry.id };
      return reply.code(201).send(entry);
    },
  );
  done();
};
