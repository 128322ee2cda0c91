/**
 * `npm start` runs us under npm (and maybe a shell). npm passes signals on, but when npm itself is killed nobody tells
 * us: so we look whether it is still there, and end with it.
 */
import { readFile } from 'node:fs/promises';
import { identify, isRunning, type ProcessRecord } from './stack-record.js';

/** How soon we notice; the processes below us take seconds to end. */
const LOOK_MS = 500;

/**
 * Calls back once when npm, or the shell between, is gone.
 * @param env - tells whether npm runs us; else there is nobody to watch
 */
export async function watchStarter(env: NodeJS.ProcessEnv, onGone: () => void): Promise<void> {
  if (env['npm_lifecycle_event'] === undefined) return;
  const starters = await startersOf(process.ppid);
  if (starters.length === 0) return;
  const timer = setInterval(() => {
    void Promise.all(starters.map(isRunning)).then((running) => {
      if (running.every(Boolean)) return;
      clearInterval(timer);
      onGone();
    });
  }, LOOK_MS);
  timer.unref();
}

/** The parent, and when that is a shell its parent too. */
async function startersOf(parentPid: number): Promise<ProcessRecord[]> {
  const parent = await identify('starter', parentPid);
  if (parent === undefined || parentPid <= 1) return [];
  const { command, ppid } = await processStatus(parentPid);
  const grandparent =
    /^(sh|dash|bash)$/.test(command) && ppid > 1 ? await identify('starter', ppid) : undefined;
  return grandparent === undefined ? [parent] : [parent, grandparent];
}

async function processStatus(pid: number): Promise<{ command: string; ppid: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [, command = '', ppid = '0'] = /^\d+ \((.*)\) \S (\d+)/s.exec(stat) ?? [];
  return { command, ppid: Number(ppid) };
}
