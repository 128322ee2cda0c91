/** `/v1/workers` of the gateway: workers say that they are up, and all of them are listed (nodes-and-workers 5 and 6). */
import type { FastifyInstance } from 'fastify';
import { readyCallback } from '../../contracts/worker.js';
import { bearerOf } from './bearer.js';
import type { PoolRegistry } from './pool-registry.js';
import { workerReports } from './report-workers.js';
import type { WorkerRoll } from './worker-roll.js';

/** Where workers say that they are up; they show their own key there. */
export const READY_CALLBACK_PATH = '/v1/workers/ready';

/** Adds the routes. */
export function workerRoutes(
  app: FastifyInstance,
  { nodeId, pools, workers }: { nodeId: string; pools: PoolRegistry; workers: WorkerRoll },
): void {
  const list = () => ({ workers: workerReports(nodeId, pools.all(), workers.all()) });
  app.post(READY_CALLBACK_PATH, (request) => {
    const told = readyCallback.parse(request.body);
    workers.calledBack(told, bearerOf(request.headers) ?? '');
    return { accepted: true, worker_id: told.worker_id, state: 'loading' };
  });
  app.get('/v1/workers/list', list);
  app.get('/workers', list);
}
