/** Processes that are killed while they work, as `kill -9` does it, and those that come after them. */
import { readFile } from 'node:fs/promises';
import { placesIn } from '../../stack/places.js';
import { readStack, type ProcessRecord } from '../../stack/stack-record.js';
import { eventually } from '../../testing/changes.js';
import { startedAtMs } from '../measure/processes.js';
import type { Drover } from './start-drover.js';

/** Kills a process. */
export function kill(pid: number): void {
  process.kill(pid, 'SIGKILL');
}

/** The process of that name that runs now. */
export async function processOf({ stateDir }: Drover, name: string): Promise<ProcessRecord> {
  const { stackFile } = placesIn(stateDir);
  const record = await readStack(stackFile);
  const processes = typeof record === 'object' ? record.processes : [];
  const found = processes.find((process) => process.name === name);
  if (found === undefined) throw new Error(`${stackFile} has no process ${name}`);
  return found;
}

/** Waits until `npm start` has started another process in the place of this one. */
export async function successorOf(drover: Drover, dead: ProcessRecord): Promise<ProcessRecord> {
  return eventually(
    () => `${dead.name} to be started again`,
    async () => {
      const now = await processOf(drover, dead.name);
      return now.pid === dead.pid ? undefined : now;
    },
  );
}

/** When a process was started: {@link startedAtMs}. */
export async function startOf({ start_ticks }: ProcessRecord): Promise<number> {
  return startedAtMs(start_ticks, await readFile('/proc/uptime', 'utf8'), Date.now());
}
