/** Who is still running: tests look for what they may have left, by the folder that only their processes know. */
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

/** True while a process of this number is there, a zombie too. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH.
  }
}
