/** Engines as a node reports them, one by one, and as operators and clients ask for them (nodes-and-workers 6). */
import { z } from 'zod';
import { WORKER_STATES } from '../domain/worker.js';
import { plainText } from './safe-text.js';
import { layersLoaded } from './loading.js';
import { engineKind, poolId } from './task.js';

/** One engine of a node. */
export const workerReport = z
  .object({
    worker_id: z.string(),
    node_id: z.string(),
    pool_id: z.string(),
    replica_id: z.string(),
    url: z
      .string()
      .nullable()
      .meta({ description: 'where its node speaks to it; null while it has no port' }),
    engine: engineKind,
    model_ref: z.string().nullable(),
    model_name: z.string().nullable(),
    backend: z.string().nullable(),
    device: z
      .string()
      .nullable()
      .meta({ description: 'its device mask, or the device that was chosen for it' }),
    state: z.enum(WORKER_STATES),
    slots_total: z.int(),
    slots_available: z.int(),
    pid: z.int().nullable().meta({ description: 'null for an engine that something else runs' }),
    last_activity_ms: z.int().nullable().meta({ description: 'when a task last got a token of it' }),
    last_health_ms: z
      .int()
      .nullable()
      .default(null)
      .meta({ description: 'when it last answered a health poll of its node' }),
    failed_health_checks: z
      .int()
      .default(0)
      .meta({ description: 'health polls that it has missed in a row; three, and it is ended' }),
    last_error: z.string().nullable(),
    loading: layersLoaded.optional().meta({ description: 'while it loads, and tells how far it has come' }),
  })
  .meta({ id: 'Worker' });

/** Worker report's type. */
export type WorkerReport = z.infer<typeof workerReport>;

/** Body of the gateway's `GET /workers`. */
export const nodeWorkers = z.object({ workers: z.array(workerReport) });

/** Body of `GET /v2/workers/list`. */
export const workerList = nodeWorkers.meta({ id: 'WorkerList' });

/** Which workers are meant; what is left out does not matter. */
export const workerFilter = z.object({
  node: poolId.optional(),
  model_ref: plainText(1024).optional().meta({ description: 'reference or name of its model' }),
  backend: z.enum(['cpu', 'cuda', 'metal', 'vulkan']).optional(),
  device: plainText(256).optional(),
});

/** Worker filter's type. */
export type WorkerFilter = z.infer<typeof workerFilter>;

/** Body of `GET /v2/workers/transition`. */
export const workerWalk = z.object({ states: z.array(z.enum(WORKER_STATES)) }).meta({ id: 'WorkerWalk' });

/** Body of the gateway's `GET /workers/:pool_id/:replica_id/health`. */
export const workerHealth = z.object({
  status: z.int().nullable().meta({ description: 'HTTP status of the answer; null: there was none' }),
  cause: z.enum(['timeout', 'connection']).nullable(),
});

/** How an engine answers for its health. */
export type WorkerHealth = z.infer<typeof workerHealth>;

/** Body of `GET /v2/workers/:id/health`. */
export const workerAlive = z
  .object({ worker_id: z.string(), status: z.literal('alive'), state: z.enum(WORKER_STATES) })
  .meta({ id: 'WorkerAlive' });

/** A worker's good health. */
export type WorkerAlive = z.infer<typeof workerAlive>;
