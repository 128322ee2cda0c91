/**
 * Two files beside a running engine: the spawn record, written at spawn so that a restarted worker can prove what is
 * ours (design §3), and the handoff, written after health so that others can find the engine (pool-lifecycle 3.5).
 */
import { z } from 'zod';
import { FIRST_REPLICA } from '../domain/identity.js';
import { preparedEngine } from './pool.js';
import { engineKind, poolId } from './task.js';

/** What was spawned: pid and start time name the process, the token stands in its environment too. */
export const spawnRecord = z.object({
  pool_id: z.string(),
  replica_id: z.string(),
  pid: z.int().positive(),
  started_ticks: z.string().meta({ description: 'start time of the process in clock ticks since boot' }),
  boot_id: z.string(),
  argv_digest: z.string(),
  token: z.string(),
  spawned_at_ms: z.int(),
  log_offset_bytes: z
    .int()
    .optional()
    .meta({ description: 'length of the log before it: what comes after is its own' }),
  prepared: preparedEngine,
});

/** Spawn record's type. */
export type SpawnRecord = z.infer<typeof spawnRecord>;

/** A ready engine, as others read it. */
export const handoff = z.object({
  engine: z.string(),
  engine_version: z.string(),
  provisioning_mode: z.string(),
  url: z.string(),
  pool_id: z.string(),
  replica_id: z.string(),
  model: z.object({ id: z.string().optional(), path: z.string() }),
  flags: z.array(z.string()),
  device_mask: z.string().nullable(),
  slots_total: z.int(),
  slots_free: z.int(),
  pid: z.int(),
  port: z.int(),
  host: z.string(),
  written_at_ms: z.int(),
  correlation_id: z.string().optional(),
});

/** Handoff's type. */
export type Handoff = z.infer<typeof handoff>;

/** Other spellings that handoffs of other writers have (C-031). */
const ALIASES: Record<string, readonly string[]> = {
  url: ['http_endpoint', 'endpoint'],
  slots_total: ['slots'],
  device_mask: ['gpu_device'],
};

const announcement = z
  .object({
    url: z.url({ protocol: /^https?$/ }),
    pool_id: poolId,
    replica_id: poolId.default(FIRST_REPLICA),
    engine: engineKind.default('llamacpp'),
    engine_version: z.string().min(1).nullable().default(null),
    sampler_profile_version: z.string().min(1).max(128).optional(),
    engine_digest: z.string().nullable().default(null),
    engine_catalog_id: z.string().nullable().default(null),
    device_mask: z.string().nullable().default(null),
    slots_total: z.int().min(1).nullable().default(null),
    slots_free: z.int().nullable().default(null),
    ctx_max: z.int().min(1).nullable().default(null),
    model: z.object({ id: z.string().optional(), path: z.string().optional() }).default({}),
  })
  .transform(({ model, slots_free, ...told }) => ({
    ...told,
    slots_free:
      slots_free === null ? null : Math.max(0, Math.min(slots_free, told.slots_total ?? slots_free)),
    model_ref: model.id ?? model.path ?? null,
    model_name: null,
    model_path: null,
    backend: null,
    split_plan: null,
    share_devices: true,
  }));

/**
 * An engine that somebody else started, as far as its handoff tells; what it leaves out stays unknown (C-032). It shares its
 * devices because nobody here can forbid it to.
 */
export type Announcement = z.infer<typeof announcement>;

/** Reads the handoff of an engine that others started; a problem names the field, or says that it is no JSON. */
export function readAnnouncement(text: string): { announcement: Announcement } | { problem: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { problem: 'it is no JSON, or only half written' };
  }
  const parsed = announcement.safeParse(withoutAliases(json));
  if (parsed.success) return { announcement: parsed.data };
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return { problem: problems.join('; ') };
}

function withoutAliases(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  const told = { ...json } as Record<string, unknown>;
  for (const [name, others] of Object.entries(ALIASES)) {
    const alias = others.find((other) => told[other] !== undefined);
    if (told[name] === undefined && alias !== undefined) told[name] = told[alias];
  }
  return told;
}
