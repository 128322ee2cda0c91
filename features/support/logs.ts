/** The logs of a stack's processes, as operators read and search them. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogLine, Program } from '../../testing/program.js';

/** True when the line has all these fields. */
export function hasFields(line: LogLine, fields: LogLine): boolean {
  return Object.entries(fields).every(([key, value]) => line[key] === value);
}

/** Waits for the first line with these fields. */
export function logLine(program: Program, fields: LogLine): Promise<LogLine> {
  return program.waitForLog(`a line with ${JSON.stringify(fields)}`, (line) => hasFields(line, fields));
}

/** All lines so far with these fields. */
export function logLines(program: Program, fields: LogLine): LogLine[] {
  return program.logLines.filter((line) => hasFields(line, fields));
}

/** Names of the log files of a stack that hold one of these texts. */
export async function logFilesHolding(
  folder: string,
  stack: string,
  texts: readonly string[],
): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(`${stack}-`));
  const holding = await Promise.all(
    names.map(async (name) => {
      const content = await readFile(join(folder, name), 'utf8');
      return texts.some((text) => content.includes(text)) ? [name] : [];
    }),
  );
  return holding.flat();
}
