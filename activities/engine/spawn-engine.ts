/**
 * Activity `spawnEngine`: starts the engine's process, once. However often it is tried it first looks for the child of
 * an earlier try: by the spawn record, and where the worker died before it could write one, by the token in the
 * environment of the processes that run.
 */
import { chown, mkdir, stat } from 'node:fs/promises';
import type { SpawnRecord } from '../../contracts/handoff.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import { cudaVisibleDevices } from '../../domain/device-mask.js';
import { ONE_GPU, staysOnOneGpu } from '../../domain/hetero-split.js';
import { correlationFields } from '../../telemetry/correlation.js';
import type { NodeActivityDeps, WorkerKeeper } from '../deps.js';
import { poolFailure, systemReason } from '../failures.js';
import { engineFields, narration } from '../pool/pool-fields.js';
import { replicaFiles, type ReplicaFiles } from '../replica-files.js';
import { endLeftEngine } from '../process/adopt.js';
import { writePidFile } from '../process/pid-file.js';
import {
  argvDigest,
  bootId,
  findByToken,
  isSameProcess,
  SPAWN_TOKEN_VARIABLE,
} from '../process/process-identity.js';
import { spawnDetached, SpawnError, type DetachedProcess } from '../process/spawn-detached.js';
import { stopGroup } from '../process/stop-group.js';
import { readSpawnRecord, writeSpawnRecord } from '../process/spawn-record.js';
import type { EngineRoom } from './engine-room.js';
import type { RamReading } from './preflight.js';
import { requireMemory } from './require-memory.js';
import { engineUrl, isSameLaunch } from './same-launch.js';
import { spawnToken } from './spawn-token.js';

/** An engine's process, not yet known to be healthy. */
export interface SpawnedEngine {
  pid: number;
  /** With the pid, the process' name for good. */
  start_ticks: string;
  url: string;
}

/** Variables that every engine gets when the worker has them; all others must be listed in `env` (B-PREP-004). */
const SAFE_BASE = ['PATH', 'HOME', 'LANG', 'TMPDIR'];

/** A GPU is counted as the driver counts it; CUDA's own default is the fastest first, which may be another one. */
const DRIVER_ORDER = { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' };

/** One launch of an engine on this node. */
interface Launch {
  deps: NodeActivityDeps;
  prepared: PreparedEngine;
  files: ReplicaFiles;
  token: string;
  /** What it gets beside its launch, where it speaks as a worker. */
  enrolled: ReturnType<WorkerKeeper['enrol']>;
  /** Length of the log before the engine; unknown for one that was found running. */
  logOffsetBytes?: number;
}

/** Builds the activity `spawnEngine`. */
export function spawnEngineActivity(deps: NodeActivityDeps, room: EngineRoom) {
  /**
   * Starts the engine, or finds it running.
   * @param ram - what preflight read, where memory is to be looked at again
   * @throws ApplicationFailure `SpawnFailed` with the system's reason; `POOL_CONFLICT` when another engine runs;
   *   `InsufficientRam` when memory has gone since preflight
   */
  return function spawnEngine(prepared: PreparedEngine, ram?: RamReading | null): Promise<SpawnedEngine> {
    const files = replicaFiles(deps.paths, prepared);
    const token = spawnToken(prepared);
    const launch: Launch = { deps, prepared, files, token, enrolled: deps.workers.enrol(prepared, token) };
    return room.alone(prepared, async () => {
      await mkdir(deps.paths.runtimeDir, { recursive: true, mode: 0o700 });
      await mkdir(files.workDir, { recursive: true, mode: 0o700 });
      if (deps.engineUser !== null) await chown(files.workDir, deps.engineUser.uid, deps.engineUser.gid);
      const running = (await findRecorded(launch)) ?? (await findUnrecorded(launch));
      if (running !== undefined) return running;
      if (ram !== undefined && ram !== null) requireMemory(deps, prepared, ram);
      return start(launch, room);
    });
  };
}

async function findRecorded({ deps, files, prepared }: Launch): Promise<SpawnedEngine | undefined> {
  const found = await readSpawnRecord(files.spawnRecord);
  if (found === undefined) return undefined;
  if (!(await isSameProcess(found))) {
    // It has ended; what it may have left would hold memory that the next one needs.
    await endLeftEngine({ record: found, alive: false }, deps, 'its engine is gone');
    return undefined;
  }
  const { pool_id, replica_id } = prepared;
  if (!isSameLaunch(prepared, found.prepared)) {
    const message = `another engine of pool ${pool_id} runs already (pid ${found.pid})`;
    throw poolFailure('POOL_CONFLICT', message, { pool_id, replica_id, pid: found.pid });
  }
  await writePidFile(files.pidFile, found.pid);
  return { pid: found.pid, start_ticks: found.started_ticks, url: engineUrl(found.prepared) };
}

async function findUnrecorded(launch: Launch): Promise<SpawnedEngine | undefined> {
  const leader = (await findByToken(launch.token)).find((entry) => entry.pid === entry.groupId);
  if (leader === undefined) return undefined;
  await record(launch, leader);
  return { pid: leader.pid, start_ticks: leader.startTicks, url: engineUrl(launch.prepared) };
}

async function start(launch: Launch, room: EngineRoom): Promise<SpawnedEngine> {
  const { deps, prepared, files } = launch;
  const logOffsetBytes = await stat(files.logFile).then(
    ({ size }) => size,
    () => 0,
  );
  const oomKillsBefore = await deps.machine.oomKills();
  const child = await spawn(launch);
  room.remember(prepared, child, oomKillsBefore);
  await recordOrEnd({ ...launch, logOffsetBytes }, child);
  const url = engineUrl(prepared);
  const { pool_id, device_mask } = prepared;
  const human = `Starts the ${prepared.engine} engine on ${device_mask ?? prepared.backend}, port ${prepared.port}`;
  const story = narration('spawn', pool_id, human);
  const fields = { event: 'engine_spawned', ...story, ...engineFields(prepared), pid: child.pid, url };
  deps.log.info(fields, `started ${prepared.binary_path}`);
  auditSpawn(deps, prepared, child.pid);
  return { pid: child.pid, start_ticks: child.startTicks, url };
}

/** Who ordered it stands in the API's audit log, under the same correlation id (B-AUDIT-001). */
function auditSpawn(
  { audit, nodeId: node_id }: NodeActivityDeps,
  prepared: PreparedEngine,
  pid: number,
): void {
  const { pool_id, replica_id, engine, model_ref: model } = prepared;
  const worker_id = `${pool_id}/${replica_id}`;
  const details = { worker_id, pool_id, replica_id, engine, model, node_id, pid, ...correlationFields() };
  void audit.record({ event_type: 'worker_spawned', actor: `node:${node_id}`, details });
}

/** The launch's own arguments, and those that tell a worker who it is. */
function argumentsOf({ prepared, enrolled }: Launch): string[] {
  return [...prepared.flags, ...(enrolled?.flags ?? [])];
}

async function spawn(launch: Launch): Promise<DetachedProcess> {
  const { deps, prepared, files, token, enrolled } = launch;
  const { binary_path: command, pool_id, replica_id } = prepared;
  const args = argumentsOf(launch);
  try {
    const { engineUser } = deps;
    // The home of whoever the worker is is none of another user's.
    const base = engineUser === null ? deps.env() : { ...deps.env(), HOME: undefined };
    const env = { ...engineEnvironment(prepared, base, token), ...enrolled?.secrets };
    const where = { cwd: files.workDir, logFile: files.logFile };
    return await spawnDetached({
      command,
      args,
      env,
      ...where,
      ...(engineUser === null ? {} : { user: engineUser }),
    });
  } catch (err) {
    if (!(err instanceof SpawnError)) throw err;
    const story = narration('spawn', pool_id, `Cannot start the ${prepared.engine} engine`);
    const said = { ...story, error_kind: 'SpawnFailed', ...engineFields(prepared) };
    const fields = { event: 'engine_spawn_failed', ...said, binary_path: command };
    deps.log.error({ ...fields, last_error: err.message, err }, err.message);
    const cause = { cause_code: 'SPAWN_FAILED', reason: err.reason };
    throw poolFailure('SpawnFailed', err.message, { pool_id, replica_id, cause }, { cause: err });
  }
}

/** Exactly what an engine sees; orchestrator secrets never are among it. A mask is not overruled by `env` (B-DEVICE-012). */
export function engineEnvironment(
  prepared: Pick<
    PreparedEngine,
    'env' | 'device_mask' | 'device_chosen' | 'backend' | 'engine' | 'flags' | 'tensor_split'
  >,
  worker: Readonly<Record<string, string | undefined>>,
  token: string,
): Record<string, string> {
  const { env, backend } = prepared;
  const device_mask = prepared.device_mask ?? prepared.device_chosen ?? null;
  const base = SAFE_BASE.flatMap((name): [string, string][] => {
    const value = worker[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(base),
    ...(backend === 'cuda' ? DRIVER_ORDER : {}),
    ...(backend === 'cuda' && staysOnOneGpu(prepared) ? ONE_GPU : {}),
    ...env,
    ...(device_mask === null
      ? {}
      : { ...DRIVER_ORDER, CUDA_VISIBLE_DEVICES: cudaVisibleDevices(device_mask) }),
    [SPAWN_TOKEN_VARIABLE]: token,
  };
}

/** An engine that cannot be recorded would be nobody's after us. */
async function recordOrEnd(launch: Launch, child: DetachedProcess): Promise<void> {
  try {
    await record(launch, child);
  } catch (err) {
    const { pid, startTicks } = child;
    await stopGroup({ pid, startTicks, token: launch.token, graceMs: 0 });
    const { pool_id, replica_id } = launch.prepared;
    const message = `the engine was started but cannot be recorded: ${systemReason(err)}`;
    throw poolFailure('SpawnFailed', message, { pool_id, replica_id }, { cause: err, retryable: true });
  }
}

/** The spawn record first: it proves whose process the number in the PID file is. */
async function record(
  launch: Launch,
  { pid, startTicks }: { pid: number; startTicks: string },
): Promise<void> {
  const { deps, prepared, files, token, logOffsetBytes } = launch;
  const written: SpawnRecord = {
    pool_id: prepared.pool_id,
    replica_id: prepared.replica_id,
    pid,
    started_ticks: startTicks,
    boot_id: await bootId(),
    argv_digest: argvDigest([prepared.binary_path, ...argumentsOf(launch)]),
    token,
    spawned_at_ms: deps.now(),
    ...(logOffsetBytes === undefined ? {} : { log_offset_bytes: logOffsetBytes }),
    prepared,
  };
  await writeSpawnRecord(files.spawnRecord, written);
  await writePidFile(files.pidFile, pid);
}
