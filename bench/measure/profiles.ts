/** CPU profiles of Drover's processes while a scenario runs, for `--profile`. */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { NamedProcess } from './processes.js';

/** Processes of ours that run JavaScript and that a task passes through. */
const PROFILED = ['api', 'node', 'control'];

/** Environment of a Drover that can be profiled; empty without a folder. */
export function profilingEnvironment(folder: string | undefined): Record<string, string> {
  if (folder === undefined) return {};
  mkdirSync(folder, { recursive: true });
  const profiler = new URL('./profiler.js', import.meta.url).href;
  return { NODE_OPTIONS: `--import ${profiler}`, BENCH_PROFILE_DIR: resolve(folder) };
}

/** Begins the profiles, or ends and writes them. */
export function toggleProfiles(processes: readonly NamedProcess[]): void {
  for (const { name, pid } of processes) if (PROFILED.includes(name)) process.kill(pid, 'SIGALRM');
}
