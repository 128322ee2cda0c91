/** What a client may ask of this installation as it stands now, and which build answers (control-plane 3). */
import { z } from 'zod';

/** One kind of engine that can be used now. */
const engineCapability = z
  .object({
    engine: z.string(),
    engine_versions: z.array(z.string()).meta({ description: 'versions that run, sorted' }),
    ctx_max: z.int().meta({ description: 'largest context of one task, in tokens' }),
    max_tokens_out: z.int().meta({ description: 'largest `max_tokens` that is accepted' }),
    concurrency: z.int().meta({ description: 'tasks that run at once, over all pools' }),
    supported_workloads: z.array(z.string()),
    features: z.record(z.string(), z.boolean()),
    rate_limits: z.record(z.string(), z.number()).meta({ description: 'empty: none is set' }),
    models: z.array(z.string()).meta({ description: 'names that a task may ask for, sorted' }),
    pools: z.array(z.string()).meta({ description: 'pools with this engine, sorted' }),
  })
  .meta({ id: 'EngineCapability' });

/** Body of `GET /v2/meta/capabilities`. */
export const capabilities = z
  .object({
    api_version: z.string(),
    snapshot_ms: z
      .int()
      .meta({ description: 'when this was worked out: the same as long as nothing has changed' }),
    engines: z.array(engineCapability),
  })
  .meta({ id: 'Capabilities' });

/** Capabilities' type. */
export type Capabilities = z.infer<typeof capabilities>;

/** Body of `GET /v2/meta/version`. */
export const buildVersion = z
  .object({
    api_version: z.string(),
    version: z.string(),
    build_commit: z.string().nullable().meta({ description: 'null where it was not built from a checkout' }),
    build_time: z.string().nullable().meta({ description: 'ISO 8601; null where nothing was built' }),
  })
  .meta({ id: 'Version' });

/** Version's type. */
export type BuildVersion = z.infer<typeof buildVersion>;
