/**
 * Activity `awaitEngineReady`: one look at a starting engine. The workflow's retry policy looks again every 500 ms, so
 * that 240 polls are one activity and no events of the history (B-PDUR-005).
 */
import { Context } from '@temporalio/activity';
import type { ApplicationFailure } from '@temporalio/common';
import type { PreparedEngine } from '../../contracts/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure, type PoolFailureDetails } from '../failures.js';
import { classifyCrash } from '../../domain/crash.js';
import { engineFields, narration } from '../pool/pool-fields.js';
import { replicaFiles } from '../replica-files.js';
import { portOwner } from '../process/port-owner.js';
import { processStartTicks } from '../process/process-identity.js';
import type { ProcessExit } from '../process/spawn-detached.js';
import { readSpawnRecord } from '../process/spawn-record.js';
import type { EngineRoom } from './engine-room.js';
import { logTail, ownTail } from './log-tail.js';
import { pollHealth, type HealthAnswer } from './poll-health.js';
import type { SpawnedEngine } from './spawn-engine.js';

/** An engine that was spawned, and what it was spawned from. */
export interface StartingEngine {
  prepared: PreparedEngine;
  engine: SpawnedEngine;
}

/** Between the end of one poll and the next (B-PRELOAD-011). */
const POLL_INTERVAL_MS = 500;
/** A healthy engine answers in milliseconds; a hung one must not stall the polls (B-PRELOAD-015). */
const POLL_TIMEOUT_MS = 2_000;

/** From its spawn until a worker's HTTP server is up; its model may take longer (C-158). */
const UP_LIMIT_MS = 30_000;

/** Somebody waits for the disk nearly all the time: it gives no more. */
const DISK_SATURATED_PERCENT = 80;

/** Builds the activity `awaitEngineReady`. */
export function awaitEngineReadyActivity(deps: NodeActivityDeps, room: EngineRoom) {
  /**
   * Resolves when the engine's own process answers its health path with 200.
   * @throws ApplicationFailure `HealthTimeout`, to be tried again in 500 ms and no cause for concern; `EngineExited`,
   *   final, as soon as the process is gone
   */
  return async function awaitEngineReady(starting: StartingEngine): Promise<void> {
    const exit = exitWatch(room, starting.engine);
    try {
      const answer = await Promise.race([askEngine(deps, starting, exit.signal), exit.happened]);
      if (!(await isAlive(starting.engine)) || answer === 'exited') throw await exited(deps, room, starting);
      if (answer.healthy) return;
      await tellOfDisk(deps, room, starting);
      throw notYet(deps, starting, answer);
    } finally {
      exit.stopWatching();
    }
  };
}

/** A model that comes slowly from a disk that gives no more is no failure, yet worth a word (B-MODEL-028). */
async function tellOfDisk(
  { log, machine }: NodeActivityDeps,
  room: EngineRoom,
  { prepared, engine: { pid, start_ticks: startTicks } }: StartingEngine,
): Promise<void> {
  const io_pressure_percent = await machine.ioPressurePercent();
  if (io_pressure_percent === undefined || io_pressure_percent < DISK_SATURATED_PERCENT) return;
  if (!room.isFirstWordOnDisk({ pid, startTicks })) return;
  const human = `Waits for the disk, which is saturated, while the ${prepared.engine} engine loads`;
  const story = narration('health', prepared.pool_id, human);
  const line = { event: 'disk_saturated', ...story, ...engineFields(prepared), pid, io_pressure_percent };
  log.warn(line, 'the disk is saturated while a model loads');
}

function notYet(
  deps: NodeActivityDeps,
  starting: StartingEngine,
  { reason, isUp = false }: Extract<HealthAnswer, { healthy: false }>,
): ApplicationFailure {
  const silentMs = isUp ? undefined : deps.workers.silentMs(starting.prepared);
  if (silentMs !== undefined && silentMs >= UP_LIMIT_MS) return neverUp(starting, silentMs);
  return notHealthy(deps, starting, reason);
}

/** It has neither called back nor answered anybody: waiting for its model would be in vain (B-WRK-014). */
function neverUp({ prepared, engine }: StartingEngine, elapsed_ms: number): ApplicationFailure {
  const { pool_id, replica_id } = prepared;
  const message = `health check failed: the engine of pool ${pool_id} did not come up within ${UP_LIMIT_MS} ms`;
  const cause = { cause_code: 'LOADING_TIMEOUT', elapsed_ms };
  return poolFailure(
    'HealthTimeout',
    message,
    { pool_id, replica_id, pid: engine.pid, elapsed_ms, cause },
    { retryable: false },
  );
}

async function askEngine(
  { paths }: NodeActivityDeps,
  { prepared, engine }: StartingEngine,
  exited: AbortSignal,
): Promise<HealthAnswer> {
  const tooSlow = AbortSignal.timeout(POLL_TIMEOUT_MS);
  const { cancellationSignal } = Context.current();
  const signal = AbortSignal.any([tooSlow, exited, cancellationSignal]);
  const answer = await pollHealth(healthUrl({ prepared, engine }), signal);
  if (tooSlow.aborted) return { healthy: false, reason: `it does not answer within ${POLL_TIMEOUT_MS} ms` };
  cancellationSignal.throwIfAborted();
  if (!answer.healthy) return answer;
  const token = (await readSpawnRecord(replicaFiles(paths, prepared).spawnRecord))?.token;
  if ((await portOwner(prepared.port, engine.pid, token)) !== 'foreign') return answer;
  return { healthy: false, reason: 'another process answers on its port' };
}

/** A child's exit ends the poll at once; an engine of an earlier worker is looked at after it. */
function exitWatch(room: EngineRoom, { pid, start_ticks }: SpawnedEngine) {
  const controller = new AbortController();
  const exit = room.exitOf({ pid, startTicks: start_ticks });
  const happened = new Promise<'exited'>((resolve) => {
    void exit?.then(() => {
      resolve('exited');
      controller.abort();
    });
  });
  return { signal: controller.signal, happened, stopWatching: () => controller.abort() };
}

async function isAlive({ pid, start_ticks }: SpawnedEngine): Promise<boolean> {
  return (await processStartTicks(pid)) === start_ticks;
}

async function exited(
  deps: NodeActivityDeps,
  room: EngineRoom,
  { prepared, engine }: StartingEngine,
): Promise<ApplicationFailure> {
  const { pool_id, replica_id } = prepared;
  const exit = await room.exitOf({ pid: engine.pid, startTicks: engine.start_ticks });
  const tail = await logTail(replicaFiles(deps.paths, prepared).logFile);
  const shortage = await memoryShortage(deps, room, { prepared, engine }, exit);
  const how = `${describeExit(exit)} before it was healthy`;
  const why = shortage === undefined ? '' : `: ${shortage}`;
  const message = `the engine of pool ${pool_id} (pid ${engine.pid}) ended ${how}${why}`;
  const fields = { event: 'engine_exited', ...engineFields(prepared), pid: engine.pid, ...exit };
  deps.log.error({ ...fields, last_error: message }, message);
  return poolFailure('EngineExited', tail === '' ? message : `${message}; its log ends:\n${tail}`, {
    pool_id,
    replica_id,
    pid: engine.pid,
    exit_code: exit?.code ?? null,
    signal: exit?.signal ?? null,
    cause: {
      cause_code: shortage === undefined ? 'INIT_CRASH' : 'OOM_DETECTED',
      ...(shortage === undefined ? {} : { reason: shortage }),
      ...{ exit_code: exit?.code ?? null, signal: exit?.signal ?? null },
    },
  });
}

/** Which memory ran out under an engine that ended while it loaded; undefined where none is known to have (B-WRK-015). */
async function memoryShortage(
  { paths, machine }: NodeActivityDeps,
  room: EngineRoom,
  { prepared, engine: { pid, start_ticks: startTicks } }: StartingEngine,
  exit: ProcessExit | undefined,
): Promise<string | undefined> {
  const { logFile, spawnRecord } = replicaFiles(paths, prepared);
  const offset = (await readSpawnRecord(spawnRecord))?.log_offset_bytes;
  const killsBefore = room.oomKillsBefore({ pid, startTicks });
  const { kind, reason } = classifyCrash({
    ...{ exit_code: exit?.code ?? null, signal: exit?.signal ?? null, silent: false },
    oom_killed: killsBefore !== undefined && (await machine.oomKills()) > killsBefore,
    // Without its beginning the log may tell of an engine before it.
    log_tail: offset === undefined ? '' : await ownTail(logFile, offset),
  });
  return kind === 'out_of_memory' ? reason : undefined;
}

/** Only the worker that started an engine is told how it ended. */
function describeExit(exit: ProcessExit | undefined): string {
  if (exit === undefined) return 'with an unknown exit code';
  return exit.signal === null ? `with exit code ${exit.code}` : `by signal ${exit.signal}`;
}

function notHealthy(deps: NodeActivityDeps, starting: StartingEngine, reason: string): ApplicationFailure {
  const { pool_id, replica_id } = starting.prepared;
  const { attempt, scheduledTimestampMs } = Context.current().info;
  const elapsed = deps.now() - scheduledTimestampMs;
  const url = healthUrl(starting);
  const details: PoolFailureDetails = { pool_id, replica_id, pid: starting.engine.pid, url };
  return poolFailure(
    'HealthTimeout',
    `health check failed: pool ${pool_id} at ${url} is not healthy after ${elapsed} ms and ${attempt} attempts: ${reason}`,
    {
      ...details,
      elapsed_ms: elapsed,
      attempts: attempt,
      cause: {
        cause_code: 'LOADING_TIMEOUT',
        elapsed_ms: elapsed,
        ...deps.workers.loading(starting.prepared),
      },
    },
    { nextRetryDelayMs: POLL_INTERVAL_MS, benign: true },
  );
}

function healthUrl({ prepared, engine }: StartingEngine): string {
  return `${engine.url}${prepared.health_path}`;
}
