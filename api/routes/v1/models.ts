/** The models that pools serve, as OpenAI lists them. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DroverError } from '../../../contracts/errors.js';
import { openaiModel, openaiModels } from '../../../contracts/openai.js';
import { modelName } from '../../../contracts/task.js';
import { servesModel } from '../../../domain/model-ref.js';
import { contextOf } from '../../request-context.js';
import type { PoolHealth } from '../../../contracts/pool.js';
import type { ReadPools } from '../../tasks/pool-health.js';
import { openAiRefusals } from '../refusals.js';

/** What the model routes read. */
export interface ModelRoutesOptions {
  readPools: ReadPools;
  /** When this API started, epoch milliseconds: a pool does not say when its model was made. */
  startedAtMs: number;
}

/** `GET /v1/models`, `GET /v1/models/{id}`; an id may hold slashes. */
export const modelRoutes: FastifyPluginCallbackZod<ModelRoutesOptions> = (
  app,
  { readPools, startedAtMs },
  done,
) => {
  const created = Math.floor(startedAtMs / 1000);
  const model = (id: string) => ({ id, object: 'model' as const, created, owned_by: 'drover' });

  app.get(
    '/v1/models',
    {
      config: { role: 'client' },
      schema: {
        summary: 'Models that are served',
        tags: ['openai'],
        response: { 200: openaiModels, ...openAiRefusals(503) },
      },
    },
    async (request) => {
      const served = (await readPools.list(contextOf(request))).filter(isServed);
      const ids = new Set(served.flatMap((pool) => nameOf(pool) ?? []));
      return { object: 'list' as const, data: [...ids].sort().map(model) };
    },
  );

  app.get(
    '/v1/models/*',
    {
      config: { role: 'client' },
      exposeHeadRoute: false,
      schema: {
        summary: 'One model',
        tags: ['openai'],
        params: z.object({ '*': modelName }),
        response: { 200: openaiModel, ...openAiRefusals(400, 404, 503) },
      },
    },
    async (request) => {
      const id = request.params['*'];
      const pools = await readPools.list(contextOf(request));
      const serves = pools.some((pool) => {
        const { pool_id, model_ref, model_name } = pool;
        return (
          isServed(pool) &&
          model_ref !== null &&
          servesModel({ poolId: pool_id, modelRef: model_ref, modelName: model_name }, id)
        );
      });
      if (!serves) throw new DroverError('MODEL_NOT_FOUND', 'no pool serves this model');
      return model(id);
    },
  );
  done();
};

/** One that sleeps is woken by whoever asks for it. */
function isServed({ ready, state }: PoolHealth): boolean {
  return ready || state === 'asleep';
}

function nameOf({ model_name, model_ref }: PoolHealth): string | null {
  return model_name ?? model_ref;
}
