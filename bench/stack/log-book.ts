/** What a process of the stack has logged from some moment on: when things happened inside, by its own clock. */
import { open } from 'node:fs/promises';
import { logSize } from '../../stack/process-log.js';
import { eventually } from '../../testing/changes.js';

/** A line of a log. */
export interface LogLine {
  ts: string;
  event?: string;
  pool_id?: string;
  state?: string;
  backoff_ms?: number;
}

/** Reader of a log from now on. */
export class LogBook {
  private constructor(
    private readonly path: string,
    private readonly from: number,
  ) {}

  /** Begins at the log's end. */
  static async open(path: string): Promise<LogBook> {
    return new LogBook(path, await logSize(path));
  }

  /** Waits for the first line that has all of these fields. */
  async find(fields: Partial<LogLine>): Promise<LogLine> {
    return eventually(
      () => `${JSON.stringify(fields)} in ${this.path}`,
      async () => linesIn(await readFrom(this.path, this.from)).find((line) => has(line, fields)),
    );
  }
}

/** Everything that was appended to a file from an offset on. */
export async function readFrom(path: string, from: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.max(0, size - from);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The structured lines of a text; one that is being written does not count yet. */
export function linesIn(text: string): LogLine[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
}

function has(line: LogLine, fields: Partial<LogLine>): boolean {
  return Object.entries(fields).every(([name, value]) => line[name as keyof LogLine] === value);
}
