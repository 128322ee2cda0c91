/** A fake engine started for a test that ends it: detached, as engines are, and gone when the test is. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { SPAWN_TOKEN_VARIABLE } from '../activities/process/process-identity.js';
import { listProcesses, type ProcessEntry } from '../activities/process/process-table.js';
import { spawnDetached, type DetachedProcess } from '../activities/process/spawn-detached.js';
import { builtFakeEngine } from './built-fake-engine.js';
import { eventually } from './changes.js';
import { killGroup } from './processes.js';

/** A running fake engine. */
export interface StartedEngine extends DetachedProcess {
  command: string;
  args: readonly string[];
  logFile: string;
}

/** Starts one and resolves when its signal handlers are in place; `token` is its spawn token. */
export async function startFakeEngine(
  t: TestContext,
  flags: readonly string[],
  token = `token-${process.pid}`,
): Promise<StartedEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-started-'));
  const [command, args] = [await builtFakeEngine(), [...flags, '--log-line', 'engine is up']];
  const logFile = join(folder, 'engine.log');
  const env = { PATH: process.env['PATH'] ?? '', [SPAWN_TOKEN_VARIABLE]: token };
  const child = await spawnDetached({ command, args, env, cwd: folder, logFile });
  const awake = setInterval(() => undefined, 1_000); // A detached child does not keep the event loop.
  t.after(async () => {
    clearInterval(awake);
    killGroup(child.pid);
    await rm(folder, { recursive: true, force: true });
  });
  await eventually(
    () => 'the fake engine',
    async () => ((await readFile(logFile, 'utf8')).includes('engine is up') ? true : undefined),
  );
  return { ...child, command, args, logFile };
}

/** Who lives in a process group; zombies do not. */
export async function livingGroup(pid: number): Promise<ProcessEntry[]> {
  return (await listProcesses()).filter((entry) => entry.groupId === pid && !entry.zombie);
}
