/** The node worker's own end: its engines are stopped by the same ladder as everywhere, all at once (B-PROC-024). */
import type { NodeActivityDeps } from '../../activities/deps.js';
import type { EngineRoom } from '../../activities/engine/engine-room.js';
import { endLeftEngine, findLeftEngines } from '../../activities/process/adopt.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import { isSameProcess } from '../../activities/process/process-identity.js';
import { readSpawnRecord } from '../../activities/process/spawn-record.js';
import { replicaFiles, type ReplicaKey } from '../../activities/replica-files.js';
import type { Logger } from '../../telemetry/logger.js';
import type { PoolRegistry } from './pool-registry.js';

/** Ends every engine that this node's spawn records prove to be ours, and removes its files. */
export async function stopEngines(
  pools: PoolRegistry,
  deps: Pick<NodeActivityDeps, 'paths' | 'stopGraceMs'>,
  log: Logger,
): Promise<void> {
  for (const { pool_id } of pools.snapshot()) pools.offline(pool_id);
  const left = await findLeftEngines(deps.paths.runtimeDir);
  await Promise.all(
    left.map(async (engine) => {
      const { forced } = await endLeftEngine(engine, deps);
      const { prepared, pid } = engine.record;
      log.info({ event: 'engine_stopped', ...engineFields(prepared), pid, forced }, 'engine stopped');
    }),
  );
}

/** Ends one engine, if its replica's record still names it: another one may have been started by now. */
export function endReplica(
  deps: Pick<NodeActivityDeps, 'paths' | 'stopGraceMs'> & { room: Pick<EngineRoom, 'alone'> },
  replica: ReplicaKey,
  pid: number,
): Promise<void> {
  return deps.room.alone(replica, async () => {
    const record = await readSpawnRecord(replicaFiles(deps.paths, replica).spawnRecord);
    if (record?.pid !== pid) return;
    await endLeftEngine({ record, alive: await isSameProcess(record) }, deps);
  });
}
