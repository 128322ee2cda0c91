/**
 * The ladder that ends an engine and whatever it started: SIGTERM to the group, once more half-way (llama-server with
 * an open stream ends at the second), SIGKILL after the grace, then the wait until nobody of the group is left. A group
 * is signalled only while it is proven ours (B-PROC-011..013, B-PROC-016, B-PROC-018).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readEnvironment, listProcesses, type ProcessEntry } from './process-table.js';
import { SPAWN_TOKEN_VARIABLE } from './process-identity.js';

/** Which group to end. */
export interface StopTarget {
  /** The process that was spawned: its group has the same number. */
  pid: number;
  startTicks: string;
  /** Spawn token: proves a group whose leader has gone before its children. */
  token?: string;
  /** Between SIGTERM and SIGKILL; 0 kills at once. */
  graceMs: number;
}

/** The group outlives SIGKILL (a process stuck in the kernel), or may not be signalled. */
export class StopError extends Error {
  override readonly name = 'StopError';
}

/** How often the group is looked at (B-PROC-012). */
const CHECK_INTERVAL_MS = 200;
/** A killed process is gone in milliseconds; one with tens of GiB of GPU memory may take seconds. */
const KILL_LIMIT_MS = 10_000;

/**
 * Ends the group and resolves when it is gone; at once when it is gone already, or is not ours any more.
 * @returns `forced` when SIGKILL was needed (B-PROC-019)
 * @throws StopError when the group is still there {@link KILL_LIMIT_MS} after SIGKILL, or belongs to another user
 */
export async function stopGroup(target: StopTarget): Promise<{ forced: boolean }> {
  // 0 would be our own group, 1 every process of the machine.
  if (!Number.isSafeInteger(target.pid) || target.pid <= 1) throw new StopError(`${target.pid} is no group`);
  const started = performance.now();
  const elapsed = (): number => performance.now() - started;

  if (!(await isOurs(target))) return { forced: false };
  if (target.graceMs > 0) {
    await signal(target, 'SIGTERM');
    if (await isGoneBy(target, () => target.graceMs / 2 - elapsed())) return { forced: false };
    await signal(target, 'SIGTERM');
    if (await isGoneBy(target, () => target.graceMs - elapsed())) return { forced: false };
  }
  await signal(target, 'SIGKILL');
  const killedAt = elapsed();
  if (await isGoneBy(target, () => killedAt + KILL_LIMIT_MS - elapsed())) return { forced: true };
  throw new StopError(`process group ${target.pid} is still there ${KILL_LIMIT_MS} ms after SIGKILL`);
}

/** True when the recorded leader lives, or has left children that carry its token. */
async function isOurs(target: StopTarget): Promise<boolean> {
  const members = await membersOf(target);
  if (members.length === 0) return false;
  if (members.some((member) => member.pid === target.pid)) return true;
  const environments = await Promise.all(members.map((member) => readEnvironment(member.pid)));
  return (
    target.token !== undefined &&
    environments.some((environment) => environment?.get(SPAWN_TOKEN_VARIABLE) === target.token)
  );
}

/** Looks every {@link CHECK_INTERVAL_MS}, and once at the end, whether the group is gone. */
async function isGoneBy(target: StopTarget, remainingMs: () => number): Promise<boolean> {
  for (;;) {
    if ((await membersOf(target)).length === 0) return true;
    const left = remainingMs();
    if (left <= 0) return false;
    await delay(Math.min(CHECK_INTERVAL_MS, left));
  }
}

/**
 * Who is left of the group: none when its number now names another process. A zombie is gone, unless it is a child of
 * ours, which Node is about to reap (B-PRELOAD-030).
 */
async function membersOf({ pid, startTicks }: StopTarget): Promise<ProcessEntry[]> {
  const members = (await listProcesses()).filter((entry) => entry.groupId === pid || entry.pid === pid);
  const leader = members.find((entry) => entry.pid === pid);
  if (leader !== undefined && leader.startTicks !== startTicks) return [];
  return members.filter((entry) => !entry.zombie || entry.parentPid === process.pid);
}

/** Signals the group; between two looks it may have become another's, so it is looked at once more. */
async function signal(target: StopTarget, name: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const members = await membersOf(target);
  if (members.length === 0) return;
  const leader = members.find((entry) => entry.pid === target.pid);
  if (leader !== undefined && leader.groupId !== target.pid) kill(target.pid, name); // It has left its group.
  if (members.some((entry) => entry.groupId === target.pid)) kill(-target.pid, name);
}

function kill(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === 'ESRCH') return; // It ended in between.
    throw new StopError(`process ${Math.abs(pid)} cannot be sent ${name}`, { cause: err });
  }
}
