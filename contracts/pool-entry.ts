/** A pool in the configuration file, and the launch that it stands for (B-CFG-023). */
import { createHash } from 'node:crypto';
import { basename, isAbsolute } from 'node:path';
import { z } from 'zod';
import { canonicalJson } from '../domain/canonical-json.js';
import { ENGINE_PLACE, wishProblem } from '../domain/engine-provision.js';
import { splitWishProblem } from '../domain/hetero-split.js';
import { serverFlags } from '../domain/launch-flags.js';
import { mustBeFetched, shownRef } from '../domain/model-source.js';
import { MODEL_PLACE } from '../domain/reload.js';
import { DEFAULT_RESTART_POLICY } from '../domain/restart-policy.js';
import {
  healthLimit,
  LONGEST_DRAIN_MS,
  poolSleep,
  poolTimeouts,
  preparedEngine,
  type PreparedEngine,
} from './pool.js';
import {
  downloadFields,
  engineProvisioning,
  packageFields,
  sourceFields,
  type EngineProvisioning,
} from './provisioning.js';
import { restartWishes, withWishes } from './supervision.js';
import { engineKind, poolId } from './task.js';

/** First port that is tried for an engine; the next free one is taken where it is not. */
const FIRST_PORT = 9300;

const absolutePath = z.string().refine(isAbsolute, 'must be an absolute path');
const launched = {
  flags: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
};

/** Brought along, or a package of the node's system; a program that is there, or is downloaded; built from its source. */
const provisioning = z.discriminatedUnion(
  'mode',
  [
    z
      .strictObject({
        mode: z.literal('package'),
        ...z.strictObject(packageFields).partial().shape,
        ...launched,
      })
      .refine(({ package: name, program, version }) => {
        const isSaid = name !== undefined;
        return isSaid === (program !== undefined) && (isSaid || version === undefined);
      }, 'must name both package and program, or neither for the engine that Drover brings along'),
    z
      .strictObject({
        mode: z.literal('binary'),
        path: absolutePath.optional(),
        ...z.strictObject(downloadFields).partial().shape,
        ...launched,
      })
      .refine(({ path, url, sha256, program }) => {
        if (path === undefined) return url !== undefined && sha256 !== undefined;
        return url === undefined && sha256 === undefined && program === undefined;
      }, 'must have either the path of a program, or url and sha256 of one to download'),
    z.strictObject({ mode: z.literal('source'), ...sourceFields, ...launched }),
  ],
  {
    error:
      'must have the mode package (the engine that Drover brings along, or a package), binary (a program, by its path or address) or source (a repository)',
  },
);

const entryFields = z.strictObject({
  id: poolId,
  engine: engineKind.default('llamacpp'),
  engine_version: z.string().min(1).default('unknown'),
  sampler_profile_version: preparedEngine.shape.sampler_profile_version,
  model: z
    .string()
    .refine(
      (model) => isAbsolute(model) || mustBeFetched(model),
      'must be an absolute path or a reference by hf:, https: or s3:',
    ),
  model_ref: z.string().min(1).optional(),
  model_name: z.string().min(1).optional(),
  ctx: z.int().min(1).max(2_147_483_647).default(4096),
  slots: z.int().min(1).max(1024).default(4),
  backend: preparedEngine.shape.backend,
  devices: z
    .array(z.union([z.int().min(0), z.string().regex(/^[^,\s]+$/, 'must be a device, without commas')]))
    .min(1)
    .max(64)
    .optional(),
  share_devices: z.boolean().default(false),
  tensor_split: preparedEngine.shape.tensor_split,
  port: z.int().min(1).max(65_535).default(FIRST_PORT),
  provisioning: provisioning.default({ mode: 'package', flags: [], env: {} }),
  timeouts: poolTimeouts.optional(),
  ...poolSleep,
  preload: z.boolean().default(true),
  health_timeout_ms: healthLimit.optional(),
  drain_deadline_ms: z.int().min(0).max(LONGEST_DRAIN_MS).default(LONGEST_DRAIN_MS),
  supervision: restartWishes.default({}),
});

/** One pool of the file. */
export const poolEntry = entryFields.superRefine((entry, ctx) => {
  const refuse = (path: string[], message: string) => ctx.addIssue({ code: 'custom', path, message });
  const wish = wishOf(entry.provisioning);
  const unnamed = wish === undefined ? undefined : wishProblem(wish, entry.engine);
  if (unnamed !== undefined) refuse(unnamed.field, unnamed.problem);
  if (isBroughtAlong(entry.provisioning) && entry.engine !== 'llamacpp')
    refuse(['provisioning'], `must name the program of a ${entry.engine} engine: mode binary and its path`);
  const launch = { ...entry, device_mask: maskOf(entry), flags: entry.provisioning.flags, split_plan: null };
  const problem = splitWishProblem(launch);
  if (problem !== undefined) refuse(['tensor_split'], problem);
  for (const { field, problem: why } of withWishes(DEFAULT_RESTART_POLICY, entry.supervision).problems)
    refuse(['supervision', field], why);
});

/** A pool of the file. */
export type PoolEntry = z.infer<typeof poolEntry>;

/** All pools of the file. */
export const poolEntries = z.array(poolEntry).superRefine((entries, ctx) => {
  for (const [at, { id }] of entries.entries()) {
    if (entries.findIndex((entry) => entry.id === id) < at)
      ctx.addIssue({ code: 'custom', path: [at, 'id'], message: 'is the id of a pool above it, too' });
  }
});

type Provided = PoolEntry['provisioning'];

function isBroughtAlong(provided: Provided): boolean {
  return provided.mode === 'package' && provided.package === undefined;
}

/** What a node has to do before the engine is there; undefined where it is, or nobody could say. */
function wishOf({ flags: _f, env: _e, ...provided }: Provided): EngineProvisioning | undefined {
  const isThere = isBroughtAlong({ ...provided, flags: [], env: {} }) || 'path' in provided;
  return isThere ? undefined : engineProvisioning.safeParse(provided).data;
}

/** How the engine that Drover brings along is run. */
export interface EmbeddedProgram {
  /** Node.js. */
  binary: string;
  main: string;
}

/**
 * Digest of all that a pool's engine depends on: a pool whose entry has another is reloaded. What an entry says of when its
 * pool is loaded, and how it is drained and supervised, needs no other engine.
 */
export function digestOf(entry: PoolEntry): string {
  const { preload: _p, health_timeout_ms: _h, drain_deadline_ms: _d, supervision: _s, ...launch } = entry;
  return createHash('sha256').update(canonicalJson(launch)).digest('hex');
}

/** The GPUs of an entry, as launches name them. */
export function maskOf({ devices }: Pick<PoolEntry, 'devices'>): string | null {
  return devices === undefined ? null : devices.join(',');
}

/** The launch that an entry stands for. */
export function launchOf(entry: PoolEntry, embedded: EmbeddedProgram): PreparedEngine {
  const { id: pool_id, engine, engine_version, model, ctx: ctx_max, slots: slots_total, port } = entry;
  const { backend, share_devices, tensor_split, timeouts, provisioning: provided } = entry;
  const { sampler_profile_version } = entry;
  const isEmbedded = isBroughtAlong(provided);
  const wish = wishOf(provided);
  const path = 'path' in provided ? provided.path : undefined;
  const host = '127.0.0.1';
  const alias = entry.model_name ?? basename(shownRef(model), '.gguf');
  const isRemote = mustBeFetched(model);
  const model_path = isRemote ? MODEL_PLACE : model;
  const known =
    engine === 'llamacpp'
      ? serverFlags({
          model: model_path,
          alias,
          host,
          port,
          ctx: ctx_max,
          slots: slots_total,
          offload: backend !== 'cpu',
        })
      : [];
  return preparedEngine.parse({
    ...{ pool_id, engine, engine_version, port, host, backend, share_devices, tensor_split },
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(entry.on_demand === undefined ? {} : { on_demand: entry.on_demand }),
    ...(entry.idle_ttl_ms === undefined ? {} : { idle_ttl_ms: entry.idle_ttl_ms }),
    ...(sampler_profile_version === undefined ? {} : { sampler_profile_version }),
    ...{ slots_total, ctx_max, env: provided.env, provisioning_mode: provided.mode },
    ...(wish === undefined ? {} : { provisioning: wish }),
    binary_path: isEmbedded ? embedded.binary : (path ?? ENGINE_PLACE),
    flags: [...(isEmbedded ? [embedded.main] : []), ...known, ...provided.flags],
    model_path,
    model_ref: isRemote ? model : (entry.model_ref ?? `file:${model}`),
    model_name: entry.model_name ?? null,
    device_mask: maskOf(entry),
    config_digest: digestOf(entry),
  });
}
