/** `POST /v2/workers/register`: an engine that somebody else runs offers itself (control-plane 5). */
import { z } from 'zod';
import { FIRST_REPLICA } from '../domain/identity.js';
import { plainText } from './safe-text.js';
import { engineKind, poolId } from './task.js';

/** Pool of a worker that names none (B-CP-055). */
const DEFAULT_POOL = 'default';

/** What is told of the engine; without a url nothing is bound. */
const told = {
  url: z.string().max(2048).meta({ description: '`http://` or `https://` with a host and a port' }),
  engine: engineKind,
  engine_version: plainText(128),
  slots_total: z.int().min(1).max(1024),
  ctx_max: z.int().min(1),
  model_ref: plainText(1024),
};

/** Body of the registration. */
export const workerRegistration = z
  .object({
    pool_id: poolId.default(DEFAULT_POOL),
    replica_id: poolId.default(FIRST_REPLICA),
    node_id: poolId
      .optional()
      .meta({ description: 'node that shall speak to it; needed where there are several' }),
    ...z.object(told).partial().shape,
  })
  .meta({ id: 'WorkerRegistration' });

/** Worker registration's type. */
export type WorkerRegistration = z.infer<typeof workerRegistration>;

/** Body of the 200. */
export const workerRegistered = z
  .object({
    ok: z.literal(true),
    identity: z.string(),
    pool_id: z.string(),
    replica_id: z.string(),
    bound: z
      .boolean()
      .meta({ description: 'its health and a token were seen, and it gets work; false: not yet' }),
  })
  .meta({ id: 'WorkerRegistered' });

/** Body of the 401, numeric code and all as the contract of workers has it (C-116). */
export const workerRefusal = z
  .object({
    code: z.int(),
    message: z.string(),
    error_code: z.string(),
    correlation_id: z.string(),
  })
  .meta({ id: 'WorkerRefusal' });

/** Body of the gateway's `PUT /pools/:pool_id/replicas/:replica_id`. */
export type EngineAnnouncement = Omit<
  WorkerRegistration,
  'pool_id' | 'replica_id' | 'node_id' | 'model_ref'
> & {
  model?: { id: string };
};

/** What the gateway answers it with. */
export const engineAnnounced = z.object({ bound: z.boolean() });

/** Body of the gateway's `POST /v1/workers/ready`: a worker's HTTP server is up (C-157). */
export const readyCallback = z
  .object({
    worker_id: z.string().min(1).max(512),
    url: z.string().max(2048).optional(),
    uri: z.string().max(2048).optional(),
    model_ref: z.string().min(1).max(1024),
    backend: z.string().min(1).max(64),
    device: z.string().max(256).nullable().default(null),
    vram_bytes: z.int().min(0).optional(),
  })
  .transform(({ url, uri, ...told }) => ({ ...told, url: url ?? uri ?? '' }));

/** Ready callback's type. */
export type ReadyCallback = z.infer<typeof readyCallback>;
