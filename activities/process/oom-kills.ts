/** How often the system has ended a process for want of memory, since it was booted. */
import { readFile } from 'node:fs/promises';

/** The kernel's count, of the whole machine; 0 where the system does not tell. */
export async function oomKills(): Promise<number> {
  const text = await readFile('/proc/vmstat', 'utf8').catch(() => '');
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}
