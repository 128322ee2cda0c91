/** What is to be found out about an engine that is gone: its exit, its own words, and what it was started from. */
import type { NodePaths, PoolMetrics, RunningEngine } from '../../activities/deps.js';
import type { EngineRoom } from '../../activities/engine/engine-room.js';
import { lastLines, ownTail } from '../../activities/engine/log-tail.js';
import { readSpawnRecord } from '../../activities/process/spawn-record.js';
import { narration } from '../../activities/pool/pool-fields.js';
import { replicaFiles } from '../../activities/replica-files.js';
import type { SpawnRecord } from '../../contracts/handoff.js';
import { preparedEngine } from '../../contracts/pool.js';
import type { CrashReport } from '../../contracts/supervision.js';
import { classifyCrash, type CrashFacts } from '../../domain/crash.js';
import { raiseAlert } from '../../telemetry/alert.js';
import type { Logger } from '../../telemetry/logger.js';

/** An engine of ours, hence with a process. */
export type OwnEngine = RunningEngine & { pid: number };

/** Where crashes are looked into. */
export interface CrashScene {
  paths: NodePaths;
  room: Pick<EngineRoom, 'exitOf'>;
  now: () => number;
}

/** Which engine, and what is to be started again. */
type FallenEngine = Pick<SpawnRecord, 'pool_id' | 'replica_id' | 'pid' | 'started_ticks' | 'prepared'>;

/** What the watch has seen itself. */
export interface CrashSigns {
  /** The process was there and did not answer. */
  silent: boolean;
  /** The system has ended some process for want of memory. */
  oomKilled: boolean;
}

/** A child whose end was seen has been reaped, or is within milliseconds; on a machine that stalls, within seconds. */
const REAPED_WITHIN_MS = 10_000;

/** Looks into it; undefined where another engine has been started in its place, or nothing tells how it was started. */
export async function reportCrash(
  { paths, room, now }: CrashScene,
  engine: OwnEngine,
  { silent, oomKilled }: CrashSigns,
): Promise<CrashReport | undefined> {
  const record = await readSpawnRecord(replicaFiles(paths, engine.prepared).spawnRecord);
  const fallen = record ?? withoutRecord(engine);
  if (fallen?.pid !== engine.pid) return undefined;
  const { pid, started_ticks: startTicks } = fallen;
  const exit = silent ? undefined : await soon(room.exitOf({ pid, startTicks }));
  return reportOf(fallen, {
    exit_code: exit?.code ?? null,
    signal: exit?.signal ?? null,
    silent,
    oom_killed: oomKilled,
    log_tail: record === undefined ? '' : await wordsOf(paths, record),
    uptime_seconds: record === undefined ? null : Math.round((now() - record.spawned_at_ms) / 1000),
  });
}

/** An engine whose files are gone, as when the worker before this one has ended it: what it was started from is known still. */
function withoutRecord({ prepared, pid, startTicks }: OwnEngine): FallenEngine | undefined {
  const launch = preparedEngine.safeParse(prepared).data;
  if (launch === undefined || startTicks === null) return undefined;
  const { pool_id, replica_id } = launch;
  return { pool_id, replica_id, pid, started_ticks: startTicks, prepared: launch };
}

/** The report on an engine that an earlier worker left, and that does not serve any more. */
export async function reportLeft(
  { paths }: Pick<CrashScene, 'paths'>,
  record: SpawnRecord,
  alive: boolean,
): Promise<CrashReport> {
  const unknown = { exit_code: null, signal: null, oom_killed: false, uptime_seconds: null };
  return reportOf(record, { ...unknown, silent: alive, log_tail: await wordsOf(paths, record) });
}

/** Names the crash of the process that a record tells of. */
export function crashId({ pid, started_ticks }: Pick<SpawnRecord, 'pid' | 'started_ticks'>): string {
  return `${pid}:${started_ticks}`;
}

async function wordsOf(paths: NodePaths, record: SpawnRecord): Promise<string> {
  const { log_offset_bytes } = record;
  // An engine that was found without a record may have written after another one: its words prove nothing.
  if (log_offset_bytes === undefined) return '';
  return ownTail(replicaFiles(paths, record).logFile, log_offset_bytes);
}

/** Facts about one engine's end. */
type EndFacts = CrashFacts & { uptime_seconds: number | null };

function reportOf(fallen: FallenEngine, facts: EndFacts): CrashReport {
  const { pool_id, replica_id, pid, prepared } = fallen;
  const { kind, reason } = classifyCrash(facts);
  const { exit_code, signal, uptime_seconds } = facts;
  const words = `the engine of replica ${replica_id} (pid ${pid}) has crashed: ${reason}`;
  const tail = lastLines(facts.log_tail);
  return {
    ...{ crash_id: crashId(fallen), pool_id, replica_id, pid, kind, reason, prepared },
    ...{ exit_code, signal, uptime_seconds },
    last_error: tail === '' || kind === 'graceful_exit' ? words : `${words}; its log ends:\n${tail}`,
  };
}

/** Counts a crash and logs it (B-SUPER-001, B-SUPER-007). */
export function tellCrash(
  { log, metrics }: { log: Logger; metrics: Pick<PoolMetrics, 'crashed'> },
  { kind, prepared, crash_id: _, ...figures }: CrashReport,
): void {
  const { pool_id, reason, uptime_seconds } = figures;
  const { engine, engine_version, device_mask } = prepared;
  metrics.crashed(pool_id, kind, { device: device_mask, modelRef: prepared.model_ref });
  const human = `Finds the ${engine} engine gone after ${uptime_seconds ?? '?'} s: ${reason}`;
  const story = narration('crash', pool_id, human);
  const line = { event: 'engine_crashed', ...story, error_kind: kind, ...figures, engine };
  if (kind === 'graceful_exit') log.warn({ ...line, engine_version, device_mask }, 'engine gone');
  else log.error({ ...line, engine_version, device_mask }, 'engine crashed');
  if (kind === 'out_of_memory') raiseAlert(log, 'oom_kill', { pool_id, reason, uptime_seconds });
}

function soon<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  if (promise === undefined) return Promise.resolve(undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), REAPED_WITHIN_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
