/**
 * What a dead worker left in its run logs: unfinished tasks go back into their queues in the order they came, before the
 * gateway listens (design §3); offers keep their places for as long as they may still be confirmed; ended runs stay
 * readable until they are old.
 */
import { mkdir, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { taskIdOfRunLog } from '../../domain/identity.js';
import type { KeyRing } from '../../security/payload-keys.js';
import type { Logger } from '../../telemetry/logger.js';
import { openRunLog, readRunLog } from './run-log.js';
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
    if (first?.kind !== 'admission') {
      await unlink(path); // The worker died while it wrote it: nobody was answered.
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
    if (run.ended && run.confirmed) run.discard();
    return run;
  } catch (err) {
    await rename(path, `${path}.unreadable`);
    log.error({ err, event: 'run_log_unreadable', path }, 'a run log cannot be read and was set aside');
    return undefined;
  }
}

/** Removes ended runs, log and memory, once they are older than `retentionMs`. */
export async function sweepRuns(recovery: Recovery, olderThanMs: number): Promise<void> {
  for (const run of [...recovery.register.endedBefore(olderThanMs)]) {
    await unlink(run.logPath).catch(() => undefined);
    recovery.register.forget(run.taskId);
  }
}
