/** Pools: how they stand, preload, drain and reload (control-plane 4; pool-lifecycle 3, 6, 7). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  drainOutcome,
  drainRequest,
  operationAccepted,
  poolHealth,
  poolList,
  preloadRequest,
  preloadResult,
  reloadOutcome,
  reloadRequest,
} from '../../../contracts/pool.js';
import { poolId } from '../../../contracts/task.js';
import { invalidParams } from '../../plugins/invalid-params.js';
import { contextOf } from '../../request-context.js';
import type { ReadPools } from '../../tasks/pool-health.js';
import type { DrainPool } from '../../tasks/drain.js';
import type { PreloadPool } from '../../tasks/preload.js';
import type { ReloadPool } from '../../tasks/reload.js';
import { refusals } from '../refusals.js';
import { operationBody } from './operation-body.js';

/** What the pool routes call. */
export interface PoolRoutesOptions {
  readPools: ReadPools;
  preloadPool: PreloadPool;
  drainPool: DrainPool;
  reloadPool: ReloadPool;
}

const params = z.object({ id: poolId });

/** `GET /v2/pools`, `GET /v2/pools/:id/health`, `POST /v2/pools/:id/{preload,drain,reload}`. */
export const poolRoutes: FastifyPluginCallbackZod<PoolRoutesOptions> = (
  app,
  { readPools, preloadPool, drainPool, reloadPool },
  done,
) => {
  app.get(
    '/v2/pools',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'listPools',
        summary: 'All pools',
        tags: ['pools'],
        response: { 200: poolList, ...refusals() },
      },
    },
    async (request) => ({ pools: await readPools.list(contextOf(request)) }),
  );

  app.get(
    '/v2/pools/:id/health',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readPoolHealth',
        summary: 'How a pool stands',
        tags: ['pools'],
        params,
        response: { 200: poolHealth, ...refusals(400, 404, 503) },
      },
    },
    (request) => readPools.health(request.params.id, contextOf(request)),
  );

  app.post(
    '/v2/pools/:id/preload',
    {
      config: { audit: 'pool_preload' },
      schema: {
        operationId: 'preloadPool',
        summary: "Start a pool's engine",
        description: 'Waits for the end for at most `wait_ms`; a preload that takes longer goes on.',
        tags: ['pools'],
        params,
        body: preloadRequest,
        response: {
          200: preloadResult,
          202: operationAccepted,
          ...refusals(400, 409, 413, 415, 503),
        },
      },
    },
    async (request, reply) => {
      const { prepared, wait_ms, health_timeout_ms, supervision, asleep } = request.body;
      if (prepared.pool_id !== request.params.id) throw otherPool();
      const order = { prepared, waitMs: wait_ms, healthTimeoutMs: health_timeout_ms, supervision, asleep };
      const answer = await preloadPool(order, contextOf(request));
      return operationBody(reply, answer);
    },
  );

  app.post(
    '/v2/pools/:id/drain',
    {
      config: { audit: 'pool_drain' },
      schema: {
        operationId: 'drainPool',
        summary: 'Take a pool out of service',
        description:
          'The pool takes no new task; running ones may end within `deadline_ms`; then its engine is stopped. ' +
          'Asked again while it drains, the earlier deadline counts.',
        tags: ['pools'],
        params,
        body: drainRequest,
        response: {
          200: drainOutcome,
          202: operationAccepted,
          ...refusals(400, 404, 409, 413, 415, 503),
        },
      },
    },
    async (request, reply) => {
      const { deadline_ms, wait_ms } = request.body;
      const order = { poolId: request.params.id, deadlineMs: deadline_ms, waitMs: wait_ms };
      const answer = await drainPool(order, contextOf(request));
      return operationBody(reply, answer);
    },
  );

  app.post(
    '/v2/pools/:id/reload',
    {
      config: { audit: 'pool_reload' },
      schema: {
        operationId: 'reloadPool',
        summary: 'Exchange the model of a pool',
        description:
          'The new engine is started beside the old one where the node has room, gets the new tasks in one step, and ' +
          'the old one ends its streams. Whatever fails leaves the old model serving.',
        tags: ['pools'],
        params,
        body: reloadRequest,
        response: {
          200: reloadOutcome,
          202: operationAccepted,
          ...refusals(400, 404, 409, 413, 415, 503),
        },
      },
    },
    async (request, reply) => {
      const { wait_ms, ...order } = request.body;
      const answer = await reloadPool(request.params.id, order, wait_ms, contextOf(request));
      return operationBody(reply, answer);
    },
  );
  done();
};

function otherPool() {
  const path = ['prepared', 'pool_id'];
  return invalidParams([{ path, code: 'custom', message: 'must be the pool of the address' }]);
}
