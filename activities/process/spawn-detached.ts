/**
 * Starts a process that outlives us: in a group of its own, without a shell, its output on one raw descriptor opened
 * for append. A pipe through this process would break at our death, and the engine with it (design §3).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';
import { readNewChild } from './process-table.js';

/** What to start. */
export interface DetachedCommand {
  command: string;
  args: readonly string[];
  /** The whole environment: nothing of ours is inherited. */
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Standard output and standard error, both appended here; made with mode 0600 when missing. */
  logFile: string;
  /** Whom the process runs as, without any other group; default: whoever we run as. Only root may say another. */
  user?: { uid: number; gid: number };
  /** Default `ignore`; `pipe` for a process that ends when its starter does. */
  stdin?: 'ignore' | 'pipe';
}

/** How a process ended: with a code, or by a signal. */
export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process that runs, or ran for a moment: `exited` says. */
export interface DetachedProcess {
  pid: number;
  /** With the pid, the process' name for good ({@link ProcessEntry}). */
  startTicks: string;
  /** Settles when the process has ended and was reaped; never rejects. */
  exited: Promise<ProcessExit>;
  stdin?: Writable;
}

/** The system would not start it; `code` is the system's (`ENOENT`, `EACCES`, `E2BIG` …), the message says it in words. */
export class SpawnError extends Error {
  override readonly name = 'SpawnError';
  /** What the system said, without the command. */
  readonly reason: string;

  constructor(
    readonly code: string,
    readonly command: string,
    words: string,
    options?: ErrorOptions,
  ) {
    super(`cannot start ${command}: ${code}: ${words}`, options);
    this.reason = `${code}: ${words}`;
  }
}

/**
 * Starts the command and resolves when it runs. The process keeps neither our event loop nor our life.
 * @throws SpawnError when the system refuses
 */
export async function spawnDetached(options: DetachedCommand): Promise<DetachedProcess> {
  const log = await open(options.logFile, 'a', 0o600);
  try {
    const child = start(options, log.fd);
    const exited = exitOf(child);
    // The pid is there at once or never; what follows is read before the loop turns.
    const entry = child.pid === undefined ? undefined : readNewChild(child.pid);
    await whenSpawned(child, options.command);
    child.unref();
    return {
      pid: child.pid ?? 0,
      startTicks: (await entry)?.startTicks ?? 'unknown',
      exited,
      ...(child.stdin === null ? {} : { stdin: child.stdin }),
    };
  } finally {
    await log.close();
  }
}

function start({ command, args, env, cwd, stdin, user }: DetachedCommand, logFd: number): ChildProcess {
  try {
    return spawn(command, args, {
      cwd,
      env: { ...env },
      detached: true,
      shell: false,
      stdio: [stdin ?? 'ignore', logFd, logFd],
      ...user,
    });
  } catch (err) {
    throw toSpawnError(command, err); // Some refusals are thrown (E2BIG), others are events (ENOENT).
  }
}

async function whenSpawned(child: ChildProcess, command: string): Promise<void> {
  try {
    await once(child, 'spawn');
  } catch (err) {
    throw toSpawnError(command, err);
  }
}

function exitOf(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function toSpawnError(command: string, err: unknown): SpawnError {
  const { code = 'UNKNOWN', errno } = err as NodeJS.ErrnoException;
  const [, words] = (errno === undefined ? undefined : getSystemErrorMap().get(errno)) ?? [];
  return new SpawnError(code, command, words ?? String(err), { cause: err });
}
