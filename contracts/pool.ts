/**
 * Pools: the complete launch description of an engine, what a preload answers, and how a pool stands
 * (pool-lifecycle 0, 1 and 3).
 */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { ENGINE_PLACE, provisioningProblem } from '../domain/engine-provision.js';
import { splitWishProblem } from '../domain/hetero-split.js';
import { HEALTH_LIMIT_MS, WORKER_LOAD_LIMIT_MS } from '../domain/health-limit.js';
import { POOL_STATES } from '../domain/pool.js';
import { MODEL_PLACE, placeProblem } from '../domain/reload.js';
import { maySleep, ON_DEMAND_TTL_MS } from '../domain/sleep.js';
import type { RestartPolicy } from '../domain/restart-policy.js';
import { layersLoaded } from './loading.js';
import { engineProvisioning } from './provisioning.js';
import { oneLine, plainText } from './safe-text.js';
import { restartWishes } from './supervision.js';
import { engineKind, LONGEST_RUN_MS, poolId, workload } from './task.js';

/** How a model is spread over the GPUs of its mask (B-HETERO-010). */
const splitPlan = z
  .object({
    parts: z.array(
      z.object({
        device: z.string(),
        ratio: z.number(),
        weights_bytes: z.int(),
        kv_bytes: z.int(),
        free_bytes: z.int(),
      }),
    ),
    capped: z.boolean().meta({ description: 'the smallest GPU could not hold the part that was asked for' }),
  })
  .meta({ id: 'SplitPlan' });

/** Longest time that a drain gives its tasks. */
export const LONGEST_DRAIN_MS = 86_400_000;

/** How long an engine may take until it is healthy. */
export const healthLimit = z
  .int()
  .min(100)
  .max(3_600_000)
  .meta({
    description: `until it is healthy; without it ${HEALTH_LIMIT_MS}, and ${WORKER_LOAD_LIMIT_MS} for an engine that tells how far its model is`,
  });

const absolutePath = z.string().refine(isAbsolute, 'must be an absolute path');

/** How long tasks of a pool may take. */
export const poolTimeouts = z.strictObject({
  wall_ms: z.int().min(1).max(LONGEST_RUN_MS).optional().meta({
    description: 'longest execution of a task whose request names none; else `DROVER_RUN_LIMIT_MS`',
  }),
});

/** When a pool has no engine, though nothing is wrong with it. */
export const poolSleep = {
  on_demand: z.boolean().optional().meta({
    description:
      'loaded when a task asks for it; put to sleep when idle, or when another pool needs its room',
  }),
  idle_ttl_ms: z
    .int()
    .min(0)
    .max(LONGEST_DRAIN_MS)
    .optional()
    .meta({
      description: `put to sleep after so long without a task; 0: never. Without it ${ON_DEMAND_TTL_MS} on demand, else never`,
    }),
};

/** Launch description of one engine process: nothing is guessed at spawn (B-PREP-001..004). */
export const preparedEngine = z
  .object({
    pool_id: poolId,
    replica_id: poolId.default('r0'),
    engine: engineKind.default('llamacpp'),
    engine_version: plainText(128),
    sampler_profile_version: plainText(128).optional().meta({
      description: 'version of the defaults it samples with; replicas of a pool have the same',
    }),
    engine_digest: z
      .string()
      .nullable()
      .default(null)
      .meta({ description: 'digest of the engine as it was provided' }),
    engine_catalog_id: z
      .string()
      .nullable()
      .default(null)
      .meta({ description: 'its entry in the catalog of engines' }),
    provisioning_mode: z.enum(['external', 'source', 'container', 'package', 'binary']).default('binary'),
    provisioning: engineProvisioning.optional().meta({
      description: `how the engine comes to be on the node, where binary_path is ${ENGINE_PLACE}`,
    }),
    binary_path: z
      .union([absolutePath, z.literal(ENGINE_PLACE)], {
        error: `must be an absolute path or ${ENGINE_PLACE}`,
      })
      .meta({ description: `${ENGINE_PLACE}: what provisioning makes available` }),
    flags: z.array(z.string()).default([]),
    host: z.string().default('127.0.0.1'),
    port: z.int().min(1).max(65535),
    port_fixed: z
      .boolean()
      .default(false)
      .meta({ description: 'false: the next free port when taken (B-PREFLIGHT-023)' }),
    health_path: z.string().startsWith('/').default('/health'),
    model_path: z
      .union([absolutePath, z.literal(MODEL_PLACE)], { error: `must be an absolute path or ${MODEL_PLACE}` })
      .meta({
        description: `${MODEL_PLACE}: the model that model_ref names (hf:, https: or s3:) is fetched first, and stands where flags and env say the same`,
      }),
    model_ref: oneLine(4096),
    model_name: oneLine(1024).nullable().default(null),
    backend: z.enum(['cuda', 'cpu', 'metal', 'vulkan']).default('cuda'),
    device_mask: plainText(256).nullable().default(null).meta({
      description: 'GPUs by index, `GPU0`, UUID or MIG name, comma-separated, in the order for the engine',
    }),
    device_chosen: z.string().optional().meta({
      description:
        'the GPU of an engine whose launch names none, written by preflight; what is given is replaced',
    }),
    share_devices: z.boolean().default(false).meta({
      description: 'may have the devices of its mask together with pools that say the same (B-DEVICE-015)',
    }),
    tensor_split: z
      .union([z.literal('auto'), z.array(z.number())])
      .nullable()
      .default(null)
      .meta({
        description:
          'llama.cpp over several GPUs: `auto` by their free memory, or a ratio for each device of the mask, 1 in all; null keeps it on one GPU',
      }),
    split_plan: splitPlan
      .nullable()
      .default(null)
      .meta({ description: 'written by preflight; what is given is replaced' }),
    slots_total: z.int().min(1).max(1024),
    ctx_max: z.int().min(1).meta({ description: 'context of one slot, in tokens' }),
    timeouts: poolTimeouts.optional(),
    ...poolSleep,
    env: z.record(z.string(), z.string()).default({}),
    config_digest: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional()
      .meta({ description: 'digest of the entry in the configuration file that this launch comes from' }),
  })
  .superRefine((launch, ctx) => {
    const message = splitWishProblem(launch);
    if (message !== undefined) ctx.addIssue({ code: 'custom', path: ['tensor_split'], message });
    const engine = provisioningProblem(launch);
    if (engine !== undefined) ctx.addIssue({ code: 'custom', path: engine.field, message: engine.problem });
    const place = placeProblem(launch);
    if (place !== undefined) ctx.addIssue({ code: 'custom', path: [place.field], message: place.problem });
  })
  .meta({ id: 'PreparedEngine' });

/** A prepared engine, defaults filled in. */
export type PreparedEngine = z.infer<typeof preparedEngine>;

/** Body of `POST /v2/pools/{id}/preload` and of the node's own route. */
export const preloadRequest = z
  .object({
    prepared: preparedEngine,
    wait_ms: z.int().min(0).max(600_000).default(150_000),
    health_timeout_ms: healthLimit.optional(),
    supervision: restartWishes
      .default({})
      .meta({ description: "how it is started again after a crash; what is left out is the installation's" }),
    asleep: z
      .boolean()
      .default(false)
      .meta({ description: 'leave a pool that may sleep asleep until a task asks for it' }),
  })
  .refine(({ asleep, prepared }) => !asleep || maySleep(prepared), {
    path: ['asleep'],
    message: 'needs a launch that says on_demand or idle_ttl_ms: nothing else would wake it',
  })
  .meta({ id: 'PreloadRequest' });

/** What a finished preload answers (B-PRELOAD-025). */
export const preloadResult = z
  .object({
    pool_id: z.string(),
    pid: z.int().positive().nullable().meta({ description: 'null: it was left asleep' }),
    handoff_path: z.string().nullable(),
  })
  .meta({ id: 'PreloadResult' });

/** Preload result's type. */
export type PreloadResult = z.infer<typeof preloadResult>;

/** Input of the workflow `preloadPool`. */
export interface PreloadPoolInput {
  node_id: string;
  correlation_id: string;
  health_timeout_ms: number;
  prepared: PreparedEngine;
  /** How the pool is started again after a crash; absent: by the defaults. */
  supervision?: RestartPolicy;
  /** Only keeps the launch: a task will ask for the engine. */
  asleep?: boolean;
  /** Who asked for it; absent: an operator. */
  by?: 'operator' | 'supervision';
}

/** Longest wait of an answer for an operation (B-CP-070). */
export const LONGEST_WAIT_MS = 600_000;

/** Body of `POST /v2/pools/{id}/drain` (control-plane 4.2). */
export const drainRequest = z
  .object({
    deadline_ms: z
      .int()
      .max(LONGEST_DRAIN_MS)
      // Not `min`: below its least a task's deadline has passed, which is another refusal (B-DP-002).
      .refine((ms) => ms >= 0, 'must be 0 or more')
      .meta({ description: 'how long running tasks may go on; 0 ends them at once', minimum: 0 }),
    wait_ms: z.int().min(0).max(LONGEST_WAIT_MS).default(0),
  })
  .meta({ id: 'DrainRequest' });

/** What a finished drain answers (pool-lifecycle 6). */
export const drainOutcome = z
  .object({
    pool_id: z.string(),
    force_stopped: z.boolean().meta({ description: 'the deadline passed while tasks ran' }),
    duration_ms: z.int(),
    final_lease_count: z.int().meta({ description: 'tasks that ended with WORKER_RESET' }),
  })
  .meta({ id: 'DrainOutcome' });

/** Drain outcome's type. */
export type DrainOutcome = z.infer<typeof drainOutcome>;

/** Input of the workflow `drainPool`. */
export interface DrainPoolInput {
  node_id: string;
  pool_id: string;
  correlation_id: string;
  deadline_ms: number;
}

/** Body of `POST /v2/pools/{id}/reload` (control-plane 4.3): another model for the same launch, or another launch. */
export const reloadRequest = z
  .object({
    new_model_ref: z.string().min(1).optional(),
    prepared: preparedEngine.optional(),
    drain_deadline_ms: z
      .int()
      .min(0)
      .max(LONGEST_DRAIN_MS)
      .default(60_000)
      .meta({ description: 'how long running tasks may keep the old engine' }),
    force: z
      .boolean()
      .default(false)
      .meta({ description: 'end tasks that outlast the deadline, instead of giving the reload up' }),
    strategy: z
      .enum(['auto', 'beside', 'in_place'])
      .default('auto')
      .meta({ description: 'auto: beside the old engine where memory and ports allow it' }),
    health_timeout_ms: healthLimit.optional(),
    wait_ms: z.int().min(0).max(LONGEST_WAIT_MS).default(300_000),
  })
  .refine(({ new_model_ref, prepared }) => (new_model_ref === undefined) !== (prepared === undefined), {
    path: ['new_model_ref'],
    message: 'give either new_model_ref or prepared',
  })
  .meta({ id: 'ReloadRequest' });

/** What a finished reload answers (pool-lifecycle 7). */
export const reloadOutcome = z
  .object({
    pool_id: z.string(),
    success: z.boolean(),
    rolled_back: z.boolean(),
    new_engine_version: z.string(),
    duration_ms: z.int(),
  })
  .meta({ id: 'ReloadOutcome' });

/** Reload outcome's type. */
export type ReloadOutcome = z.infer<typeof reloadOutcome>;

/** Input of the workflow `reloadPool`. */
export type ReloadPoolInput = Omit<z.infer<typeof reloadRequest>, 'wait_ms'> & {
  node_id: string;
  pool_id: string;
  correlation_id: string;
};

/** How a pool stands: `GET /v2/pools/{id}/health`, `GET /pools/{id}/status` of the node, and placement read it. */
export const poolStatus = z
  .object({
    pool_id: z.string(),
    state: z.enum(POOL_STATES),
    live: z.boolean(),
    ready: z.boolean(),
    draining: z.boolean(),
    active_leases: z.int(),
    slots_total: z.int().nullable(),
    slots_free: z.int().nullable(),
    queue_depth: z.int(),
    engine: z.string().nullable(),
    engine_version: z.string().nullable(),
    engine_digest: z.string().nullable(),
    engine_catalog_id: z.string().nullable(),
    backend: z.string().nullable(),
    device_mask: z.string().nullable(),
    split_plan: splitPlan.nullable(),
    model_ref: z.string().nullable(),
    model_name: z.string().nullable(),
    ctx_max: z.int().nullable(),
    workloads: z.array(workload).nullable().default(null).meta({
      description: 'what its engine does, as it was asked when it came to serve; null: not known yet',
    }),
    config_digest: z.string().nullable().meta({
      description: 'digest of its entry in the configuration file; null: it was loaded by something else',
    }),
    last_error: z.string().nullable(),
    loading: layersLoaded.optional().meta({
      description: 'how far its model has come into memory, while it starts and its engine tells so',
    }),
    changed_at_ms: z.int().meta({ description: 'when the pool came to its state' }),
    last_heartbeat_ms: z.int().nullable(),
    on_demand: z.boolean(),
    sleeps_at_ms: z.int().nullable().meta({
      description:
        'when it goes to sleep if no task comes before; null: not by itself, or not while it has tasks',
    }),
    next_restart_at: z.string().nullable().meta({
      description: 'when the engine is started again after a crash, ISO 8601; null: nothing is due',
    }),
  })
  .meta({ id: 'PoolStatus' });

/** Pool status' type. */
export type PoolStatus = z.infer<typeof poolStatus>;

/** Body of `GET /v2/pools/{id}/health`, and of each pool of `GET /v2/pools` (control-plane 4.1). */
export const poolHealth = z
  .object({
    ...poolStatus.omit({ queue_depth: true }).shape,
    metrics: z.object({ queue_depth: z.int().meta({ description: 'tasks that wait, on all nodes' }) }),
    node_ids: z.array(z.string()).meta({ description: 'nodes that have the pool' }),
  })
  .meta({ id: 'PoolHealth' });

/** Pool health's type. */
export type PoolHealth = z.infer<typeof poolHealth>;

/** Body of `GET /v2/pools`, sorted by id. */
export const poolList = z.object({ pools: z.array(poolHealth) }).meta({ id: 'PoolList' });

/** What an operation that takes longer than its caller waits answers (B-CP-070). */
export const operationAccepted = z
  .object({
    operation_id: z.string(),
    status: z.literal('running'),
    href: z.string().meta({ description: 'where it tells how it stands' }),
  })
  .meta({ id: 'OperationAccepted' });
