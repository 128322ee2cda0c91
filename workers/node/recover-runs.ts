/**
 * What a dead worker left in its run logs: unfinished tasks go back into their queues in the order they came, before the
 * gateway listens (design §3); offers that nobody confirmed are dropped; ended runs stay readable until they are old.
 */
import { mkdir, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunOffer } from '../../contracts/node.js';
import { taskIdOfRunLog } from '../../domain/identity.js';
import type { KeyRing } from '../../security/payload-keys.js';
import type { Logger } from '../../telemetry/logger.js';
import { openRunLog, readRunLog, type LogRecord } from './run-log.js';
import { Run } from './run.js';
import type { RunRegister } from './runs.js';

/** Where and how to read. */
export interface Recovery {
  runsDir: string;
  ring: KeyRing;
  register: RunRegister;
  log: Logger;
  /** Opens a log to go on with; tests have one that runs out of room. */
  openLog?: typeof openRunLog;
}

/** Makes the folder if it is new, and takes every run log of it over. */
export async function recoverRuns(recovery: Recovery): Promise<void> {
  await mkdir(recovery.runsDir, { recursive: true, mode: 0o700 });
  const names = (await readdir(recovery.runsDir)).filter((name) => taskIdOfRunLog(name) !== undefined);
  const runs: Run[] = [];
  for (const name of names) {
    const run = await readRun(join(recovery.runsDir, name), recovery);
    if (run !== undefined) runs.push(run);
  }
  runs.sort((a, b) => a.sequence - b.sequence);
  for (const run of runs) recovery.register.restore(run);
  const unfinished = runs.filter((run) => !run.ended).length;
  if (runs.length > 0)
    recovery.log.info({ event: 'runs_recovered', runs: runs.length, unfinished }, 'runs recovered');
}

/** A log that cannot be read is set aside with a message: it never keeps the worker from starting. */
async function readRun(
  path: string,
  { ring, log, openLog = openRunLog }: Recovery,
): Promise<Run | undefined> {
  try {
    const [first, ...rest] = readRunLog(path, ring);
    if (first?.kind !== 'admission' || !rest.some((record) => record.kind === 'confirmed')) {
      await unlink(path);
      if (first?.kind === 'admission') tellDropped(first.offer, rest, log);
      return undefined;
    }
    const run = new Run(
      first.offer,
      first.admission,
      first.sequence,
      first.at_ms,
      openLog(path, ring, false),
      first.first_offset,
    );
    for (const record of rest) run.apply(record);
    if (run.ended) run.discard();
    return run;
  } catch (err) {
    await rename(path, `${path}.unreadable`);
    log.error({ err, event: 'run_log_unreadable', path }, 'a run log cannot be read and was set aside');
    return undefined;
  }
}

/** Nobody was told that it is accepted; it may have been computed, and may be offered again. */
function tellDropped(
  { task_id, pool_id, correlation_id }: RunOffer,
  records: readonly LogRecord[],
  log: Logger,
): void {
  const replica_id = records.findLast((record) => record.kind === 'dispatched')?.replica_id ?? null;
  const why = 'nobody had confirmed the offer when its worker died';
  log.warn({ event: 'offer_dropped', why, task_id, pool_id, replica_id, correlation_id }, 'offer dropped');
}

/** Removes ended runs, log and memory, once they are older than `retentionMs`. */
export async function sweepRuns(recovery: Recovery, olderThanMs: number): Promise<void> {
  for (const run of [...recovery.register.endedBefore(olderThanMs)]) {
    await unlink(run.logPath).catch(() => undefined);
    recovery.register.forget(run.taskId);
  }
}
