/** The node worker's own end: its engines are stopped by the same ladder as everywhere, all at once (B-PROC-024). */
import type { NodeActivityDeps } from '../../activities/deps.js';
import type { EngineRoom } from '../../activities/engine/engine-room.js';
import { endLeftEngine, findLeftEngines, type EndDeps } from '../../activities/process/adopt.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import { isSameProcess } from '../../activities/process/process-identity.js';
import { readSpawnRecord } from '../../activities/process/spawn-record.js';
import { replicaFiles, type ReplicaKey } from '../../activities/replica-files.js';
import type { PoolRegistry } from './pool-registry.js';

/**
 * Ends every engine that this node's spawn records prove to be ours, all at once, and removes its files. Each has the grace,
 * but none longer than until `endsAtMs`: then it is killed.
 */
export async function stopEngines(
  pools: PoolRegistry,
  deps: EndDeps & Pick<NodeActivityDeps, 'log' | 'now'>,
  endsAtMs: number,
): Promise<void> {
  const { log, now, stopGraceMs } = deps;
  for (const { pool_id } of pools.snapshot()) pools.offline(pool_id);
  const left = await findLeftEngines(deps.paths.runtimeDir);
  const graceMs = Math.max(0, Math.min(stopGraceMs, endsAtMs - now()));
  const total = left.length;
  if (total > 0)
    log.info({ event: 'engines_stopping', total, grace_ms: graceMs }, `stopping ${total} engines`);
  let [stopped, killed] = [0, 0];
  await Promise.all(
    left.map(async (engine) => {
      const { forced } = await endLeftEngine(
        engine,
        { ...deps, stopGraceMs: graceMs },
        'the node worker ends',
      );
      const { prepared, pid } = engine.record;
      stopped += 1;
      if (forced) killed += 1;
      const fields = { ...engineFields(prepared), pid, forced, stopped, total };
      if (forced) log.warn({ event: 'engine_killed', ...fields }, `engine killed, ${stopped}/${total}`);
      else log.info({ event: 'engine_stopped', ...fields }, `engine stopped in time, ${stopped}/${total}`);
    }),
  );
  if (total > 0)
    log.info(
      { event: 'engines_stopped', total, killed },
      `all ${total} engines are stopped, ${killed} killed`,
    );
}

/** Ends one engine, if its replica's record still names it: another one may have been started by now. */
export function endReplica(
  deps: EndDeps & { room: Pick<EngineRoom, 'alone'> },
  replica: ReplicaKey,
  pid: number,
): Promise<void> {
  return deps.room.alone(replica, async () => {
    const record = await readSpawnRecord(replicaFiles(deps.paths, replica).spawnRecord);
    if (record?.pid !== pid) return;
    await endLeftEngine({ record, alive: await isSameProcess(record) }, deps, 'it does not answer');
  });
}
