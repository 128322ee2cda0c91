/** Engines one by one: which there are, which is idle, and checks of their states (nodes-and-workers 6). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  workerAlive,
  workerFilter,
  workerList,
  workerReport,
  workerWalk,
} from '../../../contracts/worker-report.js';
import { lookupId, plainText } from '../../../contracts/safe-text.js';
import { contextOf } from '../../request-context.js';
import type { WorkerBook } from '../../tasks/worker-book.js';
import { relayLoading } from '../../relay/relay-loading.js';
import { eventStream } from '../event-stream.js';
import { refusals } from '../refusals.js';

/** What the routes read. */
export interface WorkerStateRoutesOptions {
  workers: WorkerBook;
}

const stateName = plainText(64);
const stateCheck = z.object({ expected: stateName, worker_id: lookupId(512).optional() });
const walk = z.object({
  from: stateName,
  through: stateName.optional(),
  to: stateName,
});

/** `GET /v2/workers/{list,health,idle,progress,ready,state,transition}`, `GET /v2/workers/:id[/health]`. */
export const workerStateRoutes: FastifyPluginCallbackZod<WorkerStateRoutesOptions> = (
  app,
  { workers },
  done,
) => {
  const config = { role: 'client' } as const;
  const tags = ['workers'];

  app.get(
    '/v2/workers/list',
    {
      config,
      schema: {
        operationId: 'listWorkers',
        summary: 'All engines',
        ...{ tags, querystring: workerFilter },
        response: { 200: workerList, ...refusals(400) },
      },
    },
    async (request) => ({ workers: await workers.list(request.query, contextOf(request)) }),
  );

  app.get(
    '/v2/workers/idle',
    {
      config,
      schema: {
        operationId: 'findIdleWorker',
        summary: 'An engine that would begin at once',
        description:
          'Of several the one with the most free slots. Nothing is reserved: admission has the last word.',
        ...{ tags, querystring: workerFilter },
        response: { 200: workerReport, ...refusals(400, 503) },
      },
    },
    (request) => workers.idle(request.query, contextOf(request)),
  );

  app.get(
    '/v2/workers/ready',
    {
      config,
      schema: {
        operationId: 'listReadyWorkers',
        summary: 'Engines that take tasks',
        ...{ tags, querystring: workerFilter },
        response: { 200: workerList, ...refusals(400, 503) },
      },
    },
    async (request) => ({ workers: await workers.ready(request.query, contextOf(request)) }),
  );

  app.get(
    '/v2/workers/state',
    {
      config,
      schema: {
        operationId: 'checkWorkerState',
        summary: 'Whether an engine is in a state',
        description: 'Without `worker_id`, whether any is. `ready` is another word for `idle`.',
        ...{ tags, querystring: stateCheck },
        response: { 200: workerReport, ...refusals(400, 404, 409, 503) },
      },
    },
    (request) => workers.inState(request.query, contextOf(request)),
  );

  app.get(
    '/v2/workers/transition',
    {
      config,
      schema: {
        operationId: 'checkWorkerTransition',
        summary: 'Whether engines go from one state to another',
        ...{ tags, querystring: walk },
        response: { 200: workerWalk, ...refusals(400, 409, 503) },
      },
    },
    async (request) => {
      const { from, through, to } = request.query;
      const names = [from, ...(through === undefined ? [] : [through]), to];
      return { states: await workers.mayWalk(names, contextOf(request)) };
    },
  );

  app.get(
    '/v2/workers/progress',
    {
      config,
      exposeHeadRoute: false,
      schema: {
        operationId: 'followLoading',
        summary: 'How far a model has come into memory, as it goes',
        description:
          'Frames `{"stage":"loading_to_vram","layers_loaded","layers_total","vram_mb"}`, then `{"stage":"ready"}` or ' +
          '`{"stage":"error","code","message"}`, then `[DONE]`. Without `worker_id` of the engine that loads. An engine that ' +
          'does not tell how far it has come is told of when it is ready.',
        ...{ tags, querystring: z.object({ worker_id: lookupId(512).optional() }) },
        response: { 200: { description: 'The frames', content: eventStream }, ...refusals(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const call = contextOf(request);
      const worker = await workers.toFollow(request.query.worker_id, call);
      const look = async () =>
        (await workers.list({}, call)).find(({ worker_id }) => worker_id === worker.worker_id);
      void relayLoading(worker, look, app.openEventStream(reply, {}));
      return reply;
    },
  );

  app.get(
    '/v2/workers/health',
    {
      config,
      schema: {
        operationId: 'listWorkerHealth',
        summary: 'The engines of a node, or of all',
        description: 'As the list, but refused where there is none.',
        ...{ tags, querystring: workerFilter },
        response: { 200: workerList, ...refusals(400, 503) },
      },
    },
    async (request) => ({ workers: await workers.some(request.query, contextOf(request)) }),
  );

  app.get(
    '/v2/workers/:id/health',
    {
      config,
      schema: {
        operationId: 'readWorkerHealth',
        summary: 'How an engine answers for its health',
        ...{ tags, params: z.object({ id: lookupId(512) }) },
        response: { 200: workerAlive, ...refusals(400, 404, 502, 503, 504) },
      },
    },
    (request) => workers.health(request.params.id, contextOf(request)),
  );

  app.get(
    '/v2/workers/:id',
    {
      config,
      schema: {
        operationId: 'readWorker',
        summary: 'One engine',
        ...{ tags, params: z.object({ id: lookupId(512) }) },
        response: { 200: workerReport, ...refusals(400, 404) },
      },
    },
    (request) => workers.read(request.params.id, contextOf(request)),
  );
  done();
};
