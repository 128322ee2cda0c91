/** Where a replica's files are on its node: one place, so that whoever writes one and whoever removes it agree. */
import { join } from 'node:path';
import { engineLogFileName, handoffFileName, pidFileName, spawnRecordFileName } from '../domain/identity.js';
import type { NodePaths } from './deps.js';

/** A replica of a pool. */
export interface ReplicaKey {
  pool_id: string;
  replica_id: string;
}

/** The paths of a replica's files. */
export interface ReplicaFiles {
  pidFile: string;
  logFile: string;
  spawnRecord: string;
  handoff: string;
  /** The engine's own working directory (B-SEC-002). */
  workDir: string;
}

/** Below it each engine has its own working directory, and nothing else is there. */
export function workRoot({ runtimeDir }: NodePaths): string {
  return join(runtimeDir, 'work');
}

/** The files of one replica; both ids have been checked ({@link isPoolId}). */
export function replicaFiles(paths: NodePaths, { pool_id, replica_id }: ReplicaKey): ReplicaFiles {
  const handoff = handoffFileName(pool_id, replica_id);
  return {
    pidFile: join(paths.runtimeDir, pidFileName(pool_id, replica_id)),
    logFile: join(paths.runtimeDir, engineLogFileName(pool_id, replica_id)),
    spawnRecord: join(paths.runtimeDir, spawnRecordFileName(pool_id, replica_id)),
    handoff: join(paths.handoffDir, handoff),
    workDir: join(workRoot(paths), handoff.replace(/\.json$/, '')),
  };
}
