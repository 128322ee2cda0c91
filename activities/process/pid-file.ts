/** PID files: the decimal number and nothing else, so that any tool can read them (B-PROC-022). */
import { readFile } from 'node:fs/promises';
import { removeFile } from '../remove-file.js';
import { writeAtomically } from '../write-atomically.js';

/** No file, or no folder that it could be in. */
const ABSENT = ['ENOENT', 'ENOTDIR'];

/** Writes the number, replacing what stood there. */
export async function writePidFile(path: string, pid: number): Promise<void> {
  await writeAtomically(path, String(pid), 0o644);
}

/**
 * The number in a PID file; undefined when there is no such file, `'unreadable'` when it holds anything but a process id:
 * pids 0 and 1 are never ours, and a signal to them would reach our own group or the whole machine.
 */
export async function readPidFile(path: string): Promise<number | 'unreadable' | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (err) {
    if (err instanceof Error && 'code' in err && ABSENT.includes(String(err.code))) return undefined;
    throw err;
  }
  const pid = /^\d{1,10}$/.test(text.trim()) ? Number(text) : NaN;
  return Number.isSafeInteger(pid) && pid > 1 ? pid : 'unreadable';
}

/** Removes a PID file; one that is gone already is no failure. */
export async function removePidFile(path: string): Promise<void> {
  await removeFile(path);
}
