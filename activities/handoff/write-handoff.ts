/** Activity `writeHandoff`: tells the machine that an engine is ready, in one file (pool-lifecycle 3.5). */
import { mkdir } from 'node:fs/promises';
import type { Handoff } from '../../contracts/handoff.js';
import type { NodeActivityDeps } from '../deps.js';
import type { StartingEngine } from '../engine/await-engine-ready.js';
import { poolFailure, systemReason } from '../failures.js';
import { replicaFiles } from '../replica-files.js';
import { writeAtomically } from '../write-atomically.js';

/** A healthy engine, and whose request it was. */
export interface WriteHandoffInput extends StartingEngine {
  correlation_id: string;
}

/** Builds the activity `writeHandoff`. */
export function writeHandoffActivity(deps: Pick<NodeActivityDeps, 'paths' | 'now'>) {
  /**
   * Writes the handoff and answers its path. Written again it is replaced.
   * @throws ApplicationFailure `HandoffWriteFailed` with the system's reason, retryable
   */
  return async function writeHandoff(input: WriteHandoffInput): Promise<string> {
    const { pool_id, replica_id } = input.prepared;
    const { handoff } = replicaFiles(deps.paths, input.prepared);
    try {
      await mkdir(deps.paths.handoffDir, { recursive: true, mode: 0o700 });
      await writeAtomically(handoff, `${JSON.stringify(describe(input, deps.now()), null, 2)}\n`);
      return handoff;
    } catch (cause) {
      const message = `the handoff ${handoff} cannot be written: ${systemReason(cause)}`;
      throw poolFailure('HandoffWriteFailed', message, { pool_id, replica_id }, { cause });
    }
  };
}

function describe({ prepared, engine, correlation_id }: WriteHandoffInput, nowMs: number): Handoff {
  return {
    engine: prepared.engine,
    engine_version: prepared.engine_version,
    provisioning_mode: prepared.provisioning_mode,
    url: engine.url,
    pool_id: prepared.pool_id,
    replica_id: prepared.replica_id,
    model: { id: prepared.model_ref, path: prepared.model_path },
    flags: prepared.flags,
    device_mask: prepared.device_mask,
    slots_total: prepared.slots_total,
    slots_free: prepared.slots_total, // Nobody can have a lease yet.
    pid: engine.pid,
    port: prepared.port,
    host: prepared.host,
    written_at_ms: nowMs,
    correlation_id,
  };
}
