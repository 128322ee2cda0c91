/** The last lines of an engine's log: what it said before it ended. */
import { open } from 'node:fs/promises';

/** Enough for the reason and the line above it; a failure's message stays readable. */
const TAIL_BYTES = 2_048;
const TAIL_LINES = 8;

/** The last lines, or an empty text when there is no log. */
export async function logTail(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').trim().split('\n').slice(-TAIL_LINES).join('\n');
  } finally {
    await file.close();
  }
}
