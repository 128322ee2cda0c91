/** The node service: node workers register at an API and tell it every ten seconds how they stand (nodes-and-workers 2). */
import { z } from 'zod';
import { NODE_STATES } from '../domain/node-service.js';
import { oneLine, plainText } from './safe-text.js';
import { drainRequest } from './pool.js';
import { poolId } from './task.js';

/** Most pools and devices that one node tells of. */
const MOST_POOLS = 256;
const MOST_DEVICES = 1_024;

const bytes = z.int().min(0);

/** What a machine can do. */
const nodeCapabilities = z
  .object({
    gpus: z
      .array(
        z.object({
          device_id: oneLine(256),
          name: oneLine(256),
          vram_total_bytes: bytes.nullable(),
          compute_capability: oneLine(32).nullable(),
        }),
      )
      .max(MOST_DEVICES),
    cpu_cores: z.int().min(1),
    ram_total_bytes: bytes,
  })
  .meta({ id: 'NodeCapabilities' });

/** Capabilities' type. */
export type NodeCapabilities = z.infer<typeof nodeCapabilities>;

/** Body of `POST /v2/nodes/register`. */
export const nodeRegistration = z
  .object({
    node_id: poolId,
    machine_id: oneLine(256).meta({ description: 'tells machines apart that say the same id' }),
    address: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .meta({ description: "where APIs reach the node's gateway" }),
    pools: z.array(poolId).max(MOST_POOLS),
    capabilities: nodeCapabilities,
    version: plainText(64),
  })
  .meta({ id: 'NodeRegistration' });

/** Registration's type. */
export type NodeRegistration = z.infer<typeof nodeRegistration>;

/** Answer to a registration. */
export const nodeRegistered = z
  .object({ success: z.literal(true), message: z.string(), node_id: z.string() })
  .meta({ id: 'NodeRegistered' });

/** How a pool of a node stands. */
const reportedPool = z
  .object({
    pool_id: poolId,
    ready: z.boolean(),
    draining: z.boolean(),
    slots_free: z.int().min(0).nullable(),
    slots_total: z.int().min(0).nullable(),
    vram_free_bytes: bytes.nullable(),
    engine: oneLine(64).nullable(),
    models_available: z.array(oneLine(1_024)).max(64),
  })
  .meta({ id: 'ReportedPool' });

/** A reported pool's type. */
export type ReportedPool = z.infer<typeof reportedPool>;

/** Body of `POST /v2/nodes/{id}/heartbeat`. */
export const nodeHeartbeat = z
  .object({
    timestamp: z.int().min(0).meta({ description: "the node's clock, in Unix milliseconds" }),
    pools: z.array(reportedPool).max(MOST_POOLS),
    fatal: z
      .string()
      .max(1_024)
      .optional()
      .meta({ description: 'why the node worker can go on no longer: its last word' }),
  })
  .meta({ id: 'NodeHeartbeat' });

/** Heartbeat's type. */
export type NodeHeartbeat = z.infer<typeof nodeHeartbeat>;

/** Answer to a heartbeat. */
export const heartbeatHeard = z
  .object({ success: z.literal(true), next_heartbeat_ms: z.int() })
  .meta({ id: 'HeartbeatHeard' });

/** A node as `GET /v2/nodes` tells of it. */
export const reportedNode = z
  .object({
    node_id: z.string(),
    machine_id: z.string(),
    address: z.string(),
    version: z.string(),
    state: z.enum(NODE_STATES),
    reason: z.string().nullable().meta({ description: 'why it has failed' }),
    registered_ms: z.int(),
    last_heartbeat_ms: z.int().nullable(),
    capabilities: nodeCapabilities,
    pools: z
      .array(reportedPool)
      .meta({ description: 'as its last heartbeat told; none of an offline node is ready' }),
  })
  .meta({ id: 'ReportedNode' });

/** A reported node's type. */
export type ReportedNode = z.infer<typeof reportedNode>;

/** Answer to `GET /v2/nodes`. */
export const reportedNodes = z
  .object({ nodes: z.array(reportedNode), count: z.int() })
  .meta({ id: 'ReportedNodes' });

/** Body of `POST /v2/nodes/{id}/drain`. */
export const nodeDrain = drainRequest.pick({ deadline_ms: true }).meta({ id: 'NodeDrain' });

/** Answer to `POST /v2/nodes/{id}/resume`. */
export const nodeResumed = z
  .object({ node_id: z.string(), state: z.enum(NODE_STATES) })
  .meta({ id: 'NodeResumed' });

/** A resumed node's type. */
export type NodeResumed = z.infer<typeof nodeResumed>;

/** Answer to a drain of a node. */
export const nodeDrained = nodeResumed
  .extend({
    pools: z.array(
      z.object({
        pool_id: z.string(),
        operation_id: z
          .string()
          .nullable()
          .meta({ description: 'its drain; null where it cannot be drained' }),
        problem: z.string().nullable().meta({ description: 'code of what keeps it from being drained' }),
      }),
    ),
  })
  .meta({ id: 'NodeDrained' });

/** A drained node's type. */
export type NodeDrained = z.infer<typeof nodeDrained>;
