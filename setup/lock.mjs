/**
 * One at a time, between processes: a lock is a file that names its holder by pid and start time, so a lock whose
 * holder was killed is taken over, and a reused pid holds nothing. Node builtins only.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Between two looks at a lock that another process holds. */
const LOOK_AGAIN_MS = 150;
/** A lock without a readable holder is one that is being written; after this long its writer was killed. */
const WRITE_LIMIT_MS = 2_000;

/**
 * Runs `work` while no other process runs work under the same lock file.
 *
 * @template T
 * @param {string} path of the lock file
 * @param {(line: string) => void} log is told once when there is a wait
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, log, work) {
  await mkdir(dirname(path), { recursive: true });
  await acquire(path, log);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path, log) {
  let said = false;
  let unreadableSince;
  for (;;) {
    if (await tryCreate(path)) return;
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue; // It was released between the two calls.
    const holder = parseHolder(text);
    if (holder === undefined) unreadableSince ??= Date.now();
    else unreadableSince = undefined;
    const dead =
      holder === undefined
        ? Date.now() - unreadableSince > WRITE_LIMIT_MS
        : startOf(holder.pid) !== holder.start;
    if (dead) {
      await takeAway(path, text);
      continue;
    }
    if (!said && holder !== undefined) {
      log(`waiting for process ${holder.pid}, which is doing the same`);
      said = true;
    }
    await pause(LOOK_AGAIN_MS);
  }
}

async function tryCreate(path) {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify({ pid: process.pid, start: startOf(process.pid) }));
    await file.close();
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead process' lock away. Renaming is atomic; what turns out to be another's live lock is put back. */
async function takeAway(path, expected) {
  const aside = `${path}.${process.pid}.dead`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) === expected) await rm(aside, { force: true });
  else await rename(aside, path);
}

function parseHolder(text) {
  try {
    const holder = JSON.parse(text);
    return Number.isInteger(holder.pid) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Start time of a process: clock ticks since boot on Linux; elsewhere only whether it is there. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return error.code === 'EPERM' ? 'alive' : undefined;
  }
}
