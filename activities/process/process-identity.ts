/**
 * Is that process still ours? A pid alone proves nothing: numbers come round again, and a reboot starts them anew. A
 * process is the one that we spawned when pid, start time and boot are those of its spawn record, and nothing that can
 * be read of it says otherwise (B-PROC-016).
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SpawnRecord } from '../../contracts/handoff.js';
import { listProcesses, readArguments, readEnvironment, readProcess } from './process-table.js';
import { runTool } from './run.js';

/** Variable in an engine's environment that carries its spawn token; its children inherit it. */
export const SPAWN_TOKEN_VARIABLE = 'DROVER_SPAWN_TOKEN';

/** What of a spawn record names the process. */
export type ProcessRecord = Pick<SpawnRecord, 'pid' | 'started_ticks' | 'boot_id' | 'argv_digest' | 'token'>;

/** Start time of a live process; undefined when it is gone. A zombie is gone: it computes nothing and holds nothing. */
export async function processStartTicks(pid: number): Promise<string | undefined> {
  const entry = await readProcess(pid);
  return entry === undefined || entry.zombie ? undefined : entry.startTicks;
}

/** Names this boot of the machine; records of another boot are of processes that are gone. */
export async function bootId(): Promise<string> {
  const linux = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
  if (linux !== undefined) return linux.trim();
  const { stdout } = await runTool('sysctl', ['-n', 'kern.bootsessionuuid'], { timeoutMs: 5_000 });
  return stdout.trim();
}

/** Digest of a command and its arguments, in hex. */
export function argvDigest(argv: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(argv)).digest('hex');
}

/** True when the recorded process is alive and ours. */
export async function isSameProcess(record: ProcessRecord): Promise<boolean> {
  if (record.boot_id !== (await bootId())) return false;
  if ((await processStartTicks(record.pid)) !== record.started_ticks) return false;
  return !(await isForeign(record));
}

/**
 * What can be read of the process says that it is another's: a token that is not ours, or no token at all and another
 * command. Some engines write over their arguments and environment (they set a title): then nothing can be read, and
 * the kernel's pid and start time stand.
 */
async function isForeign(record: ProcessRecord): Promise<boolean> {
  const environment = await readEnvironment(record.pid);
  const token = environment?.get(SPAWN_TOKEN_VARIABLE);
  if (token !== undefined) return token !== record.token;
  const isLegible = environment?.has('PATH') ?? false;
  return isLegible && !(await runsCommand(record));
}

/** An interpreter stands before a script's path, so the recorded command may begin further on. */
async function runsCommand({ pid, argv_digest }: ProcessRecord): Promise<boolean> {
  const argv = (await readArguments(pid)) ?? [];
  return argv.some((_, start) => argvDigest(argv.slice(start)) === argv_digest);
}

/** Live processes that carry this spawn token, the oldest first: the engine, then its children. Empty on macOS. */
export async function findByToken(
  token: string,
): Promise<{ pid: number; startTicks: string; groupId: number }[]> {
  const alive = (await listProcesses()).filter((entry) => !entry.zombie);
  const carriers = await Promise.all(
    alive.map(async (entry) => {
      const environment = await readEnvironment(entry.pid);
      return environment?.get(SPAWN_TOKEN_VARIABLE) === token ? [entry] : [];
    }),
  );
  return carriers.flat().sort((a, b) => Number(a.startTicks) - Number(b.startTicks) || a.pid - b.pid);
}
