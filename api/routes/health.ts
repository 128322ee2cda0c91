/** Is the process up; can it do its work. Both without a key (C-187). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DroverError, type ErrorCode } from '../../contracts/errors.js';
import type { CallContext } from '../clients/node-link.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { ReadPools } from '../tasks/pool-health.js';
import { keylessRefusals } from './refusals.js';

/** What readiness is read from. */
export interface HealthOptions {
  version: string;
  records: TaskRecords;
  readPools: ReadPools;
}

/** The pool that `npm start` makes; without it a newcomer's first task has nowhere to go. */
const DEFAULT_POOL = 'default';
/** A start takes seconds. */
const RETRY_AFTER_MS = 1_000;

const up = z.object({ status: z.literal('ok'), version: z.string() }).meta({ id: 'Health' });
const ready = z.object({ status: z.literal('ready') }).meta({ id: 'Ready' });

interface Missing {
  code: ErrorCode;
  field: string;
  problem: string;
}

/** `GET /health` = `/healthz`, `GET /readyz`. */
export const healthRoutes: FastifyPluginCallbackZod<HealthOptions> = (app, options, done) => {
  for (const path of ['/health', '/healthz']) {
    app.get(
      path,
      {
        config: { keyless: true },
        schema: { summary: 'The process is up', tags: ['operations'], response: { 200: up } },
      },
      () => ({ status: 'ok' as const, version: options.version }),
    );
  }

  app.get(
    '/readyz',
    {
      config: { keyless: true },
      schema: {
        summary: 'Temporal is reached and the pool "default" is ready',
        tags: ['operations'],
        response: { 200: ready, ...keylessRefusals(503) },
      },
    },
    async (request) => {
      const missing = await whatIsMissing(options, { correlationId: request.id });
      const [first] = missing;
      if (first === undefined) return { status: 'ready' as const };
      throw new DroverError(first.code, missing.map(({ problem }) => problem).join('; '), {
        retry_after_ms: RETRY_AFTER_MS,
        details: missing.map(({ field, problem }) => ({ field, problem })),
      });
    },
  );
  done();
};

async function whatIsMissing({ records, readPools }: HealthOptions, call: CallContext): Promise<Missing[]> {
  const [temporal, pool] = await Promise.all([
    records.reachable(),
    readPools.health(DEFAULT_POOL, call).catch((err: unknown) => {
      if (err instanceof DroverError) return err;
      throw err;
    }),
  ]);
  const missing: Missing[] = [];
  if (!temporal) {
    missing.push({ code: 'TEMPORAL_UNAVAILABLE', field: 'temporal', problem: 'Temporal cannot be reached' });
  }
  const problem = problemOf(pool);
  if (problem !== undefined) missing.push({ code: 'POOL_UNREADY', field: `pool.${DEFAULT_POOL}`, problem });
  return missing;
}

function problemOf(pool: DroverError | { state: string; ready: boolean }): string | undefined {
  if (pool instanceof DroverError) return `pool "${DEFAULT_POOL}": ${pool.message}`;
  return pool.ready || pool.state === 'asleep'
    ? undefined
    : `pool "${DEFAULT_POOL}" is not ready (${pool.state})`;
}
