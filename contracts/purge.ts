/** Purge of a pool: what is asked, what becomes of each model, what a finished purge answers (control-plane 4.4). */
import { z } from 'zod';
import { modelId } from './model.js';
import { LONGEST_DRAIN_MS, LONGEST_WAIT_MS } from './pool.js';

/** Each is one step of the workflow, so that its history stays short. */
const MOST_MODELS = 64;

/** Body of `POST /v2/pools/{id}/purge`, which may be left out. */
export const purgeRequest = z
  .strictObject({
    purge_engine: z
      .boolean()
      .default(false)
      .meta({ description: 'the node forgets the pool, and nobody supervises it any more' }),
    purge_models: z
      .array(modelId)
      .max(MOST_MODELS)
      .default([])
      .meta({ description: 'models of the catalogue that go, with their files in the model cache' }),
    drain_first: z.boolean().default(true).meta({
      description:
        'running tasks may end first; false: an engine that must be stopped is stopped at once, and without need of that none is',
    }),
    drain_deadline_ms: z
      .int()
      .min(0)
      .max(LONGEST_DRAIN_MS)
      .default(60_000)
      .meta({ description: 'how long running tasks may go on' }),
    delete_cache_dirs: z
      .boolean()
      .default(false)
      .meta({ description: "what the pool's engines left in their working directories goes, too" }),
    force: z.boolean().default(false).meta({ description: 'models go even while a pool serves them' }),
    wait_ms: z.int().min(0).max(LONGEST_WAIT_MS).default(0),
  })
  .meta({ id: 'PurgeRequest' });

/** What became of a model. */
export const purgedModel = z
  .object({
    model_id: z.string(),
    outcome: z.enum(['removed', 'in_use', 'not_found', 'outside_cache']).meta({
      description:
        'in_use: kept, since pools serve it; not_found: the catalogue has none; outside_cache: kept, since its files lead out of the model cache',
    }),
    pools: z.array(z.string()).meta({ description: 'pools that serve it' }),
  })
  .meta({ id: 'PurgedModel' });

/** Purged model's type. */
export type PurgedModel = z.infer<typeof purgedModel>;

/** What a finished purge answers. */
export const purgeOutcome = z
  .object({
    pool_id: z.string(),
    drained: z.boolean(),
    deregistered: z.boolean().meta({ description: 'its node knew the pool, and has forgotten it' }),
    models: z.array(purgedModel),
    cache_dirs_deleted: z.array(z.string()).meta({ description: 'their names on the node' }),
    duration_ms: z.int(),
  })
  .meta({ id: 'PurgeOutcome' });

/** Purge outcome's type. */
export type PurgeOutcome = z.infer<typeof purgeOutcome>;

/** Input of the workflow `purgePool`. */
export type PurgePoolInput = Omit<z.infer<typeof purgeRequest>, 'wait_ms'> & {
  node_id: string;
  pool_id: string;
  correlation_id: string;
};
