/** How all parts are: an API of itself, of its nodes and of their engines (nodes-and-workers 2). */
import { z } from 'zod';
import { WORKER_STATES } from '../domain/worker.js';

/** What a node answers `GET /v1/health` with. */
export const nodeAlive = z
  .object({ status: z.string(), version: z.string(), api_version: z.string() })
  .meta({ id: 'NodeAlive' });

/** A node's answer. */
export type NodeAlive = z.infer<typeof nodeAlive>;

const status = z.enum(['healthy', 'unhealthy']);

/** Body of `GET /v2/health`. */
export const healthChain = z
  .object({
    status: status.meta({ description: '`healthy` where every part below is' }),
    api: z.object({ status, version: z.string(), problem: z.string().nullable() }),
    nodes: z.array(
      z.object({
        node_id: z.string(),
        status,
        problem: z.string().nullable(),
        workers: z.array(
          z.object({
            worker_id: z.string(),
            status,
            state: z.enum(WORKER_STATES),
            problem: z.string().nullable(),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'HealthChain' });

/** How all parts are. */
export type HealthChain = z.infer<typeof healthChain>;
