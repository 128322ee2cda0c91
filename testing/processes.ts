/** Who is still running: tests look for what they may have left, by the folder that only their processes know. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/** A process of the machine. */
export interface FoundProcess {
  pid: number;
  commandLine: string;
}

/**
 * Living processes whose command line or environment names `needle`, without this one. Empty where there is no `/proc`.
 */
export async function processesNaming(needle: string): Promise<FoundProcess[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.filter((pid) => pid !== process.pid).map((pid) => lookAt(pid, needle)),
  );
  return found.filter((entry) => entry !== undefined);
}

async function lookAt(pid: number, needle: string): Promise<FoundProcess | undefined> {
  // A process that ends meanwhile, or another user's, has nothing to read.
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  const [commandLine, environment] = await Promise.all([read('cmdline'), read('environ')]);
  if (!commandLine.includes(needle) && !environment.includes(needle)) return undefined;
  return { pid, commandLine: commandLine.replaceAll('\0', ' ').trim() };
}

/** True when the process is there and its command line or environment names `needle`: a number may be another's by now. */
export async function processNames(pid: number, needle: string): Promise<boolean> {
  return (await lookAt(pid, needle)) !== undefined;
}

/** Kills a process group that a test's engine leads; one that is gone is left alone. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (err) {
    if (!(err instanceof Error && 'code' in err && err.code === 'ESRCH')) throw err;
  }
}

/**
 * True while a process of this number runs. One that has ended and that its new parent, which an engine whose worker was
 * killed gets, has not reaped yet is none; {@link zombiesOf} finds what a worker forgets to reap.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false; // ESRCH.
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    // pid (name) state …; the name may hold anything.
    return /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false; // There is no `/proc`, or it went between two looks.
  }
}

/** Children of a process that have ended and that nobody has reaped. */
export async function zombiesOf(parentPid: number): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  // pid (name) state parent …; the name may hold anything.
  const fields = stats.map((stat) => /^(\d+) \(.*\) (\S) (\d+) /s.exec(stat));
  return fields.flatMap((found) =>
    found?.[2] === 'Z' && Number(found[3]) === parentPid ? [Number(found[1])] : [],
  );
}

/** A process's command line, argument by argument; empty when it is gone. */
export async function argumentsOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.split('\0').slice(0, -1);
}
