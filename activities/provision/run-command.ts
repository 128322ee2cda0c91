/** Runs one program of a step: in a group of its own, which ends with the step, or with the next worker's try at it. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseJson } from '../../domain/json.js';
import { SPAWN_TOKEN_VARIABLE } from '../process/process-identity.js';
import { spawnDetached, type ProcessExit } from '../process/spawn-detached.js';
import { stopGroup } from '../process/stop-group.js';
import { removeFile } from '../remove-file.js';
import { writeAtomically } from '../write-atomically.js';
import { engineFolder } from './engine-folder.js';
import type { StepCommand } from './step-commands.js';

/** Where and how it runs. */
export interface CommandOptions {
  env: Readonly<Record<string, string>>;
  cwd: string;
  logFile: string;
  /** Names its process while it runs. */
  runningFile: string;
  user: { uid: number; gid: number } | null;
  stopGraceMs: number;
  signal: AbortSignal;
}

const runningProgram = z.object({ pid: z.int(), startTicks: z.string(), token: z.string() });

/**
 * Runs the program to its end, or to the signal's.
 * @returns how it ended
 * @throws the signal's reason, when nothing of it runs any more; SpawnError
 */
export async function runCommand(
  { command, args }: StepCommand,
  { env, cwd, logFile, runningFile, user, stopGraceMs, signal }: CommandOptions,
): Promise<ProcessExit> {
  signal.throwIfAborted();
  const token = randomUUID();
  const child = await spawnDetached({
    ...{ command, args, cwd, logFile },
    env: { ...env, [SPAWN_TOKEN_VARIABLE]: token },
    ...(user === null ? {} : { user }),
  });
  const { pid, startTicks } = child;
  const ended = await Promise.race([
    writeAtomically(runningFile, JSON.stringify({ pid, startTicks, token })).then(() => child.exited),
    aborted(signal),
  ]);
  // What it has left behind ends with it, too.
  await stopGroup({ pid, startTicks, token, graceMs: ended === undefined ? stopGraceMs : 0 });
  await removeFile(runningFile);
  if (ended !== undefined) return ended;
  throw signal.reason;
}

/** Ends what a worker before this one was running when it died. */
export async function endLeftCommand(runningFile: string, stopGraceMs: number): Promise<void> {
  const text = await readFile(runningFile, 'utf8').catch(() => undefined);
  const left = text === undefined ? undefined : runningProgram.safeParse(parseJson(text)).data;
  if (left !== undefined) await stopGroup({ ...left, graceMs: stopGraceMs });
  await removeFile(runningFile);
}

/** Ends all that a worker before this one was running when it died: nobody may ever try those steps again. */
export async function endLeftCommands(dir: string, stopGraceMs: number): Promise<void> {
  const engines = await readdir(dir).catch(() => []);
  await Promise.all(engines.map((id) => endLeftCommand(engineFolder(dir, id).running, stopGraceMs)));
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const done = () => resolve(undefined);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
