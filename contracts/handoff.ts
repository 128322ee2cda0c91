/**
 * Two files beside a running engine: the spawn record, written at spawn so that a restarted worker can prove what is
 * ours (design §3), and the handoff, written after health so that others can find the engine (pool-lifecycle 3.5).
 */
import { z } from 'zod';
import { preparedEngine } from './pool.js';

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
