/**
 * The pools that a node has, in one file of its state folder: a worker that starts again knows them, and says 503 of a pool
 * whose engine is not back yet, where a worker that knew nothing of it would have to say 404.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { NodePaths, ServedEngine } from '../../activities/deps.js';
import { POOL_STATES } from '../../domain/pool.js';
import { maySleep } from '../../domain/sleep.js';
import type { CrashReport } from '../../contracts/supervision.js';
import { poolId } from '../../contracts/task.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Pool, PoolRegistry } from './pool-registry.js';

const FILE = 'pools.json';
/** What a pool is told to have failed of until it is adopted, bound or started again. */
const NOT_BACK = 'its engine is not back since the node worker started again';

const entry = z.object({
  prepared: z.looseObject({ pool_id: poolId, replica_id: poolId }),
  state: z.enum(POOL_STATES),
  last_error: z.string().nullable(),
  crash: z.looseObject({ crash_id: z.string() }).nullable(),
  load_ms: z.number().nullable().default(null),
});

/** Takes what the file holds over into the registry; do it before engines are adopted. */
export function recallPools({ runtimeDir }: NodePaths, pools: PoolRegistry, log: Logger): void {
  const path = join(runtimeDir, FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return; // A node that never had a pool.
  }
  try {
    for (const { state, last_error, load_ms: loadMs, ...written } of z.array(entry).parse(JSON.parse(text))) {
      // Written by `rememberPools`; only its ids name anything here.
      const known = {
        ...(written as unknown as { prepared: ServedEngine; crash: CrashReport | null }),
        loadMs,
      };
      // One that was being woken still is, by its supervisor.
      const sleeps = state === 'asleep' || (state === 'starting' && maySleep(known.prepared));
      if (sleeps) pools.recall({ ...known, state: 'asleep', lastError: last_error });
      else if (state === 'offline') pools.recall({ ...known, state, lastError: null });
      else pools.recall({ ...known, state: 'failed', lastError: last_error ?? NOT_BACK });
    }
  } catch (err) {
    renameSync(path, `${path}.unreadable`);
    log.error({ err, event: 'pools_unreadable', path }, 'the list of pools cannot be read and was set aside');
  }
}

/** Writes the file; in the same turn of the event loop as the move that it tells of, so that no death comes between. */
export function rememberPools({ runtimeDir }: NodePaths, pools: Iterable<Pool>, log: Logger): void {
  // A crash that its supervisor has not heard of yet is heard of from the next worker.
  const known = [...pools].flatMap(({ prepared, state, lastError, crash, loadMs }) =>
    prepared === null ? [] : [{ prepared, state, last_error: lastError, crash, load_ms: loadMs }],
  );
  const path = join(runtimeDir, FILE);
  const temporary = join(runtimeDir, `.${FILE}.${randomUUID()}.tmp`);
  try {
    writeFileSync(temporary, JSON.stringify(known), { mode: 0o600 });
    renameSync(temporary, path);
  } catch (err) {
    // The pools go on; only the worker after this one may not know them.
    log.warn({ err, event: 'pools_not_written', path }, 'the list of pools cannot be written');
  }
}
