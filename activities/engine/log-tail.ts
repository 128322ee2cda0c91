/** The last lines of an engine's log: what it said before it ended. */
import { open } from 'node:fs/promises';

/** Enough for the reason and the line above it; a failure's message stays readable. */
const TAIL_BYTES = 2_048;
const TAIL_LINES = 8;

/** Enough for an error with a long stack behind it. */
const OWN_TAIL_BYTES = 65_536;

/** The last lines, or an empty text when there is no log. */
export async function logTail(path: string): Promise<string> {
  return lastLines(await readEnd(path, TAIL_BYTES, 0));
}

/**
 * What one engine wrote last into a log that others before it have written into.
 * @param offsetBytes - length of the log at its start; a log that was cut since then is its own
 */
export function ownTail(path: string, offsetBytes: number): Promise<string> {
  return readEnd(path, OWN_TAIL_BYTES, offsetBytes);
}

/** The end of a text, short enough for a message. */
export function lastLines(text: string): string {
  return text.slice(-TAIL_BYTES).trim().split('\n').slice(-TAIL_LINES).join('\n');
}

async function readEnd(path: string, bytes: number, offsetBytes: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const own = offsetBytes <= size ? size - offsetBytes : size;
    const length = Math.min(own, bytes);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8');
  } finally {
    await file.close();
  }
}
