/** Activity `stopEngine`: ends an engine by its recorded group and removes its files (pool-lifecycle 5). */
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import { poolFields } from '../pool/pool-fields.js';
import { replicaFiles, type ReplicaFiles, type ReplicaKey } from '../replica-files.js';
import { endLeftEngine } from '../process/adopt.js';
import { setAside } from '../set-aside.js';
import { auditKill } from '../process/audit-kill.js';
import { readPidFile, removePidFile } from '../process/pid-file.js';
import { findByToken, isSameProcess } from '../process/process-identity.js';
import { readSpawnRecord } from '../process/spawn-record.js';
import { stopGroup, StopError } from '../process/stop-group.js';
import type { EngineRoom } from './engine-room.js';
import { heartbeating } from './heartbeating.js';
import { spawnToken } from './spawn-token.js';

/** Which engine, and why. */
export interface StopEngineInput extends ReplicaKey {
  /** For the log: `preload failed`, `drain`. */
  reason: string;
  /** A missing PID file: `fail` when an engine must be there, `stopped` when it may be gone or never came (C-039). */
  if_missing: 'fail' | 'stopped';
}

/** How it went; `stale`: the PID file named a process that is gone or not ours, and nobody was signalled. */
export interface StoppedEngine {
  outcome: 'stopped' | 'forced' | 'stale' | 'already_stopped';
  pid: number | null;
}

/** Builds the activity `stopEngine`. */
export function stopEngineActivity(deps: NodeActivityDeps, room: EngineRoom) {
  /**
   * Resolves when no process of the engine's group is left and its handoff, PID file and spawn record are gone.
   * @throws ApplicationFailure `StopFailed`: final when the PID file is missing and must not be, else to be tried again
   */
  return function stopEngine(input: StopEngineInput): Promise<StoppedEngine> {
    const token = spawnToken(input);
    return heartbeating(() =>
      room.alone(input, async () => {
        const files = replicaFiles(deps.paths, input);
        const stopped = await stop(deps, files, input, token);
        room.releasePort(input);
        deps.workers.forget(input);
        logStop(deps, input, stopped);
        return stopped;
      }),
    );
  };
}

async function stop(
  deps: NodeActivityDeps,
  files: ReplicaFiles,
  input: StopEngineInput,
  token: string,
): Promise<StoppedEngine> {
  const written = await readPidFile(files.pidFile);
  if (written === 'unreadable') await setAside(files.pidFile, 'pid_file_unreadable', deps.log);
  const pid = written === 'unreadable' ? undefined : written;
  if (written === undefined && input.if_missing === 'fail') throw missing(files, input);
  try {
    const record = await readSpawnRecord(files.spawnRecord);
    if (record === undefined) return await stopUnrecorded(deps, { files, input, token, pid });
    const alive = await isSameProcess(record);
    const { forced } = await endLeftEngine({ record, alive }, deps, input.reason);
    return { outcome: outcomeOf(alive, forced, pid), pid: record.pid };
  } catch (err) {
    if (!(err instanceof StopError)) throw err;
    throw poolFailure('StopFailed', err.message, keyOf(input), { cause: err });
  }
}

interface Unrecorded {
  files: ReplicaFiles;
  input: StopEngineInput;
  token: string;
  pid: number | undefined;
}

/** Without a record a PID proves nothing; a child of this workflow's spawn step is still known by its token. */
async function stopUnrecorded(
  deps: NodeActivityDeps,
  { files, input, token, pid }: Unrecorded,
): Promise<StoppedEngine> {
  const [child] = await findByToken(token);
  const stopped =
    child === undefined
      ? undefined
      : await stopGroup({
          pid: child.groupId,
          startTicks: child.startTicks,
          token,
          graceMs: deps.stopGraceMs,
        });
  await removePidFile(files.pidFile);
  if (child === undefined || stopped === undefined) {
    return { outcome: pid === undefined ? 'already_stopped' : 'stale', pid: pid ?? null };
  }
  if (stopped.forced) auditKill(deps, input, { pid: child.groupId, reason: input.reason });
  return { outcome: stopped.forced ? 'forced' : 'stopped', pid: child.groupId };
}

function outcomeOf(alive: boolean, forced: boolean, pid: number | undefined): StoppedEngine['outcome'] {
  if (forced) return 'forced';
  if (alive) return 'stopped';
  return pid === undefined ? 'already_stopped' : 'stale';
}

function missing({ pidFile }: ReplicaFiles, input: StopEngineInput): Error {
  const message = `the PID file ${pidFile} does not exist; nothing was stopped`;
  return poolFailure('StopFailed', message, keyOf(input), { retryable: false });
}

function logStop({ log, pools }: NodeActivityDeps, input: StopEngineInput, { outcome, pid }: StoppedEngine) {
  const fields = {
    ...poolFields(pools, input.pool_id),
    replica_id: input.replica_id,
    pid,
    reason: input.reason,
    outcome,
  };
  if (outcome === 'forced') log.warn({ event: 'engine_killed', ...fields }, 'the engine needed SIGKILL');
  else if (outcome === 'stale') log.warn({ event: 'engine_stale', ...fields }, 'the PID file was stale');
  else log.info({ event: 'engine_stopped', ...fields }, 'engine stopped');
}

function keyOf({ pool_id, replica_id }: ReplicaKey): ReplicaKey {
  return { pool_id, replica_id };
}
