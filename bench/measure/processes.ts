/** What processes cost, as the kernel counts it. */
import { readFile } from 'node:fs/promises';

/** Kernel clock ticks a second, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** A process by the name that the tables give it. */
export interface NamedProcess {
  name: string;
  pid: number;
}

/** One number a process. */
export type PerProcess = Record<string, number>;

/** CPU time used so far, user and system, milliseconds. */
export function cpuMs(processes: readonly NamedProcess[]): Promise<PerProcess> {
  return ofEach(processes, async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // After the name in parentheses, which may hold anything, user time is the 12th field and system time the 13th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  });
}

/** Resident memory, MiB. */
export function residentMib(processes: readonly NamedProcess[]): Promise<PerProcess> {
  return ofEach(processes, async (pid) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  });
}

/**
 * When a process was started, on the wall clock that logs are written by; to the hundredth of a second.
 * @param startTicks - as `/proc/<pid>/stat` has it
 * @param uptime - content of `/proc/uptime`, on the same clock
 */
export function startedAtMs(startTicks: string, uptime: string, nowMs: number): number {
  const sinceBootMs = Number(uptime.split(' ')[0]) * 1000;
  return nowMs - (sinceBootMs - (Number(startTicks) * 1000) / TICKS_PER_SECOND);
}

/** What was added between two looks. */
export function rise(before: PerProcess, after: PerProcess): PerProcess {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]),
  );
}

/** Adds up, name by name. */
export function sum(...all: readonly PerProcess[]): PerProcess {
  const total: PerProcess = {};
  for (const one of all)
    for (const [name, value] of Object.entries(one)) total[name] = (total[name] ?? 0) + value;
  return total;
}

async function ofEach(
  processes: readonly NamedProcess[],
  look: (pid: number) => Promise<number>,
): Promise<PerProcess> {
  const entries = processes.map(async ({ name, pid }) => [name, await look(pid)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
