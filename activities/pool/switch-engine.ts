/**
 * Activity `switchEngine`: the engine beside takes the place of the old one. Its files take the replica's names, those of
 * the old one step aside, and then, in one step of the registry, new work goes to the new engine (B-CP-034).
 */
import { replicaBefore, replicaBeside } from '../../domain/identity.js';
import type { NodeActivityDeps, NodePaths } from '../deps.js';
import { poolFailure } from '../failures.js';
import type { StartingEngine } from '../engine/await-engine-ready.js';
import { removePidFile, writePidFile } from '../process/pid-file.js';
import { readSpawnRecord, writeSpawnRecord } from '../process/spawn-record.js';
import { removeFile } from '../remove-file.js';
import { replicaFiles, type ReplicaKey } from '../replica-files.js';
import { engineFields } from './pool-fields.js';

/** Builds the activity `switchEngine`. */
export function switchEngineActivity({
  pools,
  workers,
  paths,
  log,
}: Pick<NodeActivityDeps, 'pools' | 'workers' | 'paths' | 'log'>) {
  /**
   * @param next - under the replica's own id
   * @throws ApplicationFailure `POOL_CONFLICT` when the pool has been taken out of service meanwhile
   */
  return async function switchEngine(next: StartingEngine): Promise<void> {
    const { pool_id } = next.prepared;
    const state = pools.status(pool_id)?.state ?? 'unknown';
    if (state !== 'ready') throw poolFailure('POOL_CONFLICT', `the pool is ${state}`, { pool_id });
    await exchangeFiles(paths, next);
    const { pid, url, start_ticks: startTicks } = next.engine;
    pools.switched({ prepared: next.prepared, url, pid, startTicks });
    workers.forget({ pool_id, replica_id: replicaBeside(next.prepared.replica_id) });
    const fields = { ...engineFields(next.prepared), model_ref: next.prepared.model_ref, pid, url };
    log.info({ event: 'engine_switched', ...fields }, 'new work goes to the new engine');
  };
}

/** Done once: when it is tried again the engine beside may have its name already. */
async function exchangeFiles(paths: NodePaths, { prepared, engine }: StartingEngine): Promise<void> {
  const { pool_id, replica_id } = prepared;
  const own = { pool_id, replica_id };
  const beside = { pool_id, replica_id: replicaBeside(replica_id) };
  const before = { pool_id, replica_id: replicaBefore(replica_id) };
  const recorded = await readSpawnRecord(replicaFiles(paths, own).spawnRecord);
  if (recorded?.pid !== engine.pid) {
    if ((await readSpawnRecord(replicaFiles(paths, beside).spawnRecord))?.pid !== engine.pid) {
      const message = `the engine with pid ${engine.pid} has no spawn record and cannot take over`;
      throw poolFailure('EngineExited', message, { ...own, pid: engine.pid });
    }
    try {
      await copyFiles(paths, own, before);
      await copyFiles(paths, beside, own);
    } catch (err) {
      // Nothing was switched: the old engine keeps its name, and has no other.
      await copyFiles(paths, before, own).catch(() => undefined);
      await removeFiles(paths, before);
      throw err;
    }
  }
  await removeFiles(paths, beside);
}

async function removeFiles(paths: NodePaths, replica: ReplicaKey): Promise<void> {
  const { spawnRecord, pidFile } = replicaFiles(paths, replica);
  await removePidFile(pidFile);
  await removeFile(spawnRecord);
}

/** Spawn record and PID file of one replica under the name of another; the engine itself is not touched. */
async function copyFiles(paths: NodePaths, from: ReplicaKey, to: ReplicaKey): Promise<void> {
  const record = await readSpawnRecord(replicaFiles(paths, from).spawnRecord);
  if (record === undefined) return;
  const { replica_id } = to;
  const files = replicaFiles(paths, to);
  await writeSpawnRecord(files.spawnRecord, {
    ...record,
    replica_id,
    prepared: { ...record.prepared, replica_id },
  });
  await writePidFile(files.pidFile, record.pid);
}
