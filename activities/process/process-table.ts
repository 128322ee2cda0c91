/** The machine's processes as facts: from `/proc` on Linux, from `ps` elsewhere (macOS). */
import { readFileSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { runTool } from './run.js';

/** One process. */
export interface ProcessEntry {
  pid: number;
  parentPid: number;
  groupId: number;
  /** Clock ticks since boot on Linux, `ps`'s start date elsewhere: with the pid it names a process for good. */
  startTicks: string;
  /** Ended, and waiting for its parent to ask how. */
  zombie: boolean;
}

const ON_LINUX = process.platform === 'linux';
/** `ps` answers in milliseconds; a machine that swaps may need seconds. */
const PS_TIMEOUT_MS = 5_000;
const PS_COLUMNS = 'pid=,ppid=,pgid=,stat=,lstart=';

/** One process, zombies included; undefined when the pid is free. */
export async function readProcess(pid: number): Promise<ProcessEntry | undefined> {
  if (!ON_LINUX) return (await ps(['-p', String(pid)]))[0];
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat === undefined ? undefined : parseStat(stat);
}

/**
 * A child of ours right after its start, on Linux read before the event loop can reap it: one that ends at once is
 * still seen.
 */
export async function readNewChild(pid: number): Promise<ProcessEntry | undefined> {
  return ON_LINUX ? parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')) : readProcess(pid);
}

/** All processes, zombies included. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  if (!ON_LINUX) return ps(['-A']);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(pids.map((pid) => readProcess(Number(pid))));
  return entries.filter((entry) => entry !== undefined);
}

/** A process' arguments, its command first; undefined where they cannot be read. */
export async function readArguments(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text === '' ? undefined : text.replace(/\0$/, '').split('\0');
}

/** The environment that a process was started with; undefined where it cannot be read (another user's, macOS). */
export async function readEnvironment(pid: number): Promise<ReadonlyMap<string, string> | undefined> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  if (text === '') return undefined;
  const pairs = text.split('\0').flatMap((entry): [string, string][] => {
    const at = entry.indexOf('=');
    return at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)]] : [];
  });
  return new Map(pairs);
}

/** Inodes of the sockets that a process holds open; undefined where they cannot be read. */
export async function readSocketInodes(pid: number): Promise<string[] | undefined> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => undefined);
  if (names === undefined) return undefined;
  const targets = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/**
 * Parses `/proc/<pid>/stat` (proc(5)): `pid (comm) state ppid pgrp … starttime`, the start time being field 22. The
 * name may hold spaces and parentheses, so the fields are counted from the last `)`.
 */
export function parseStat(stat: string): ProcessEntry | undefined {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/);
  const [state, parentPid, groupId] = fields;
  const startTicks = fields[22 - 3];
  if (startTicks === undefined) return undefined;
  return {
    pid: Number.parseInt(stat, 10),
    parentPid: Number(parentPid),
    groupId: Number(groupId),
    startTicks,
    zombie: state === 'Z' || state === 'X',
  };
}

async function ps(selection: string[]): Promise<ProcessEntry[]> {
  const { stdout } = await runTool('ps', ['-o', PS_COLUMNS, ...selection], {
    timeoutMs: PS_TIMEOUT_MS,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout.split('\n').flatMap((line) => parsePs(line) ?? []);
}

/** Parses one line of `ps -o pid=,ppid=,pgid=,stat=,lstart=`. */
export function parsePs(line: string): ProcessEntry | undefined {
  const [, pid, parentPid, groupId, state, start] =
    /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line) ?? [];
  if (state === undefined || start === undefined) return undefined;
  return {
    pid: Number(pid),
    parentPid: Number(parentPid),
    groupId: Number(groupId),
    startTicks: start.replace(/\s+/g, ' '),
    zombie: state.startsWith('Z'),
  };
}
