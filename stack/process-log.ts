/**
 * Log files of the stack's processes: each process appends to its own through a raw descriptor (it outlives us). They
 * are bounded: one that has grown is copied aside and cut, which appenders do not notice.
 */
import { copyFile, mkdir, open, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A file beyond this is cut; with the copy aside that is at most twice as much a process. */
const LARGEST_BYTES = 32 * 1024 * 1024;
/** Enough for the reason of an end, which stands in the last lines. */
const TAIL_BYTES = 16 * 1024;

/** Size of a log; 0 when there is none. What comes after it is what a process says from now on. */
export async function logSize(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}

/** Keeps a log within bounds: `x.log` becomes `x.log.1`, the one before goes. */
export async function boundLog(path: string, largestBytes = LARGEST_BYTES): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if ((await logSize(path)) <= largestBytes) return;
  await copyFile(path, `${path}.1`);
  await truncate(path, 0);
}

/** What was appended to a log from an offset on, at most the last {@link TAIL_BYTES}. */
export async function readLog(path: string, from: number): Promise<string> {
  const size = await logSize(path);
  const start = Math.max(from <= size ? from : 0, size - TAIL_BYTES);
  if (size === start) return '';
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** True when one of the events was logged: how a process says that it is up. */
export function hasEvent(text: string, events: readonly string[]): boolean {
  return text.split('\n').some((line) => {
    const event = /"event":"([a-z_]+)"/.exec(line)?.[1];
    return event !== undefined && events.includes(event);
  });
}

/**
 * Why a process ended, in one line: what it said to the operator (`drover <component>: …`), else its uncaught error,
 * else the last line that is no structured log, else undefined.
 */
export function reasonIn(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('{'));
  const said = lines.findLast((line) => line.startsWith('drover '));
  const uncaught = lines.findLast((line) => /^(?:\w*Error|Error \[\w+\])\b.*: /.test(line));
  return (said ?? uncaught ?? lines.at(-1))?.trim();
}
