/**
 * Engines that an earlier worker left behind. Their spawn records say which processes are alive and ours, which the next
 * worker may take over, and which are gone; whatever it does not take over it ends here, by the recorded group.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpawnRecord } from '../../contracts/handoff.js';
import type { Logger } from '../../telemetry/logger.js';
import type { NodeActivityDeps } from '../deps.js';
import { removeFile } from '../remove-file.js';
import { replicaFiles } from '../replica-files.js';
import { setAside } from '../set-aside.js';
import { auditKill, type KillAudit } from './audit-kill.js';
import { removePidFile } from './pid-file.js';
import { isSameProcess } from './process-identity.js';
import { readSpawnRecord } from './spawn-record.js';
import { stopGroup } from './stop-group.js';

/** An engine by its spawn record. */
export interface LeftEngine {
  record: SpawnRecord;
  /** The recorded process lives and is ours; children that outlived it do not count. */
  alive: boolean;
}

const RECORD_SUFFIX = '.spawn.json';

/** Every engine that the runtime folder's spawn records name; records that cannot be read prove nothing and are passed over. */
export async function findLeftEngines(runtimeDir: string): Promise<LeftEngine[]> {
  const records = await readRecords(runtimeDir);
  return Promise.all(records.flatMap(({ record }) => (record === undefined ? [] : [withLife(record)])));
}

/**
 * Sets the records aside that cannot be read: an engine that still runs under one is then known by its handoff, like one that
 * others started.
 */
export async function setUnreadableRecordsAside(
  runtimeDir: string,
  log: Pick<Logger, 'error'>,
): Promise<void> {
  for (const { path, record } of await readRecords(runtimeDir))
    if (record === undefined) await setAside(path, 'spawn_record_unreadable', log);
}

async function readRecords(runtimeDir: string): Promise<{ path: string; record: SpawnRecord | undefined }[]> {
  const names = (await readdir(runtimeDir)).filter(
    (name) => name.endsWith(RECORD_SUFFIX) && !name.startsWith('.'),
  );
  const paths = names.sort().map((name) => join(runtimeDir, name));
  return Promise.all(paths.map(async (path) => ({ path, record: await readSpawnRecord(path) })));
}

async function withLife(record: SpawnRecord): Promise<LeftEngine> {
  return { record, alive: await isSameProcess(record) };
}

/** What ending an engine needs. */
export type EndDeps = Pick<NodeActivityDeps, 'paths' | 'stopGraceMs'> & KillAudit;

/**
 * Ends an engine and all that it started, then removes its handoff, PID file and record. A process that is not proven
 * ours is left alone (B-PROC-016); children that outlived an engine are known by its token.
 * @param reason - why, for the audit log where it had to be killed
 * @throws StopError when the group outlives SIGKILL: the files stay, for the next try
 */
export async function endLeftEngine(
  { record, alive }: LeftEngine,
  { paths, stopGraceMs, ...who }: EndDeps,
  reason: string,
): Promise<{ forced: boolean }> {
  const files = replicaFiles(paths, record);
  await removeFile(files.handoff); // First, so that nobody is sent to an engine that is ending.
  const { pid, token } = record;
  // The start time of a process that is gone or foreign matches nobody, so only its token-bearing children are reached.
  const startTicks = alive ? record.started_ticks : `${record.started_ticks} gone`;
  const stopped = await stopGroup({ pid, startTicks, token, graceMs: stopGraceMs });
  if (stopped.forced) auditKill(who, record, { pid, reason });
  await removePidFile(files.pidFile);
  await removeFile(files.spawnRecord);
  return stopped;
}
