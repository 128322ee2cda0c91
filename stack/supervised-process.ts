/**
 * One process of the stack: started, awaited until it says that it is up, and started again when it ends unasked.
 * Nothing here ends a process: that is `end-stack.ts`, by the record that is kept here.
 *
 *     spawned ──up──> running ──ended──> pause ──> spawned …
 *        └── ended or too late: the start fails          └── too often: given up, the stack stops
 */
import { setTimeout as pause } from 'node:timers/promises';
import { bootId } from '../activities/process/process-identity.js';
import { spawnDetached, type ProcessExit } from '../activities/process/spawn-detached.js';
import { boundLog, logSize, readLog, reasonIn } from './process-log.js';
import { decideRestart } from './restart-decision.js';
import { StackError, type Say } from './stack-error.js';
import type { ProcessRecord } from './stack-record.js';
import type { StackProcessName } from './end-stack.js';

/** Between two looks whether a starting process is up: small against the second that it takes. */
const LOOK_MS = 50;

/** What to run, and how to know that it is up. */
export interface ProcessPlan {
  name: StackProcessName;
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  logFile: string;
  /** Longest time until it is up. */
  upLimitMs: number;
  /** True when it is up; is given what it has logged since it was started. */
  isUp: (log: string) => Promise<boolean> | boolean;
  /** Our own processes end with us: their standard input is a pipe that closes when we are gone. */
  endsWithUs: boolean;
}

/** Around a process. */
export interface Supervision {
  say: Say;
  /** Aborted when the stack ends: nothing is started again, waits end. */
  ending: AbortSignal;
  /** Keeps the record; called before anything else after each start. */
  onStarted: (record: ProcessRecord) => Promise<void>;
  /** A process ended too often. */
  onGivenUp: (err: StackError) => void;
}

/**
 * Starts a process and keeps it running until `ending` aborts.
 * @returns once it is up
 * @throws StackError with the reason it gave when it ends or is not up in time
 */
export async function superviseProcess(plan: ProcessPlan, supervision: Supervision): Promise<void> {
  const { exited } = await startOnce(plan, supervision);
  void keepRunning(plan, supervision, exited).catch((err: unknown) => {
    supervision.onGivenUp(
      new StackError(`${plan.name}: ${err instanceof Error ? err.message : String(err)}`),
    );
  });
}

async function startOnce(plan: ProcessPlan, supervision: Supervision) {
  const { exited, from } = await spawnRecorded(plan, supervision);
  let ended: ProcessExit | undefined;
  void exited.then((result) => (ended = result));
  const giveUpAt = Date.now() + plan.upLimitMs;
  for (;;) {
    supervision.ending.throwIfAborted();
    const log = await readLog(plan.logFile, from);
    if (ended !== undefined) throw new StackError(endText(plan, ended, log));
    if (await plan.isUp(log)) return { exited };
    if (Date.now() > giveUpAt) {
      throw new StackError(`${plan.name} was not up after ${plan.upLimitMs / 1000} s; see ${plan.logFile}`);
    }
    await pause(LOOK_MS, undefined, { signal: supervision.ending });
  }
}

async function spawnRecorded(plan: ProcessPlan, { onStarted }: Supervision) {
  await boundLog(plan.logFile);
  const from = await logSize(plan.logFile);
  const { command, args, env, cwd, logFile } = plan;
  const stdin = plan.endsWithUs ? 'pipe' : 'ignore';
  const child = await spawnDetached({ command, args, env, cwd, logFile, stdin });
  child.stdin?.on('error', () => undefined); // It ended; `exited` tells.
  await onStarted({
    name: plan.name,
    pid: child.pid,
    start_ticks: child.startTicks,
    boot_id: await bootId(),
  });
  return { exited: child.exited, from };
}

async function keepRunning(
  plan: ProcessPlan,
  supervision: Supervision,
  first: Promise<ProcessExit>,
): Promise<void> {
  const { ending, say, onGivenUp } = supervision;
  let exited = first;
  let ends: number[] = [];
  for (;;) {
    const ended = await exited;
    if (ending.aborted) return;
    const reason = endText(plan, ended, await readLog(plan.logFile, 0));
    const decision = decideRestart(ends, Date.now());
    ends = decision.ends;
    if (!decision.restart)
      return onGivenUp(new StackError(`${reason}; it ended ${ends.length} times within a minute`));
    say(`${reason}; starting it again`);
    if (!(await waited(decision.afterMs, ending))) return;
    ({ exited } = await spawnRecorded(plan, supervision));
  }
}

/** False when the stack ended meanwhile. */
async function waited(ms: number, ending: AbortSignal): Promise<boolean> {
  await pause(ms, undefined, { signal: ending }).catch(() => undefined); // Only an abort rejects it.
  return !ending.aborted;
}

function endText(plan: ProcessPlan, { code, signal }: ProcessExit, log: string): string {
  const how = signal === null ? `with code ${code ?? 'unknown'}` : `by ${signal}`;
  const reason = code === 0 || signal !== null ? undefined : reasonIn(log);
  return reason === undefined
    ? `${plan.name} ended ${how} (log: ${plan.logFile})`
    : `${plan.name} ended ${how}: ${reason.replace(/^drover [a-z-]+: /, '')}`;
}
