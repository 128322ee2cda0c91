/** A document that a person has written: JSON or YAML, in a file or on standard input. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import { CliError } from '../client/cli-error.js';

/**
 * Reads a document.
 * @param path - `-` is standard input
 * @throws CliError INVALID_ARGUMENT where it cannot be read, or is no object
 */
export async function readDocument(path: string, stdin: NodeJS.ReadStream): Promise<Record<string, unknown>> {
  const read = path === '-' ? text(stdin) : readFile(path, 'utf8');
  const content = await read.catch((err: unknown) => {
    throw unusable(path, err);
  });
  let document: unknown;
  try {
    document = parse(content);
  } catch (err) {
    throw unusable(path, err);
  }
  if (typeof document === 'object' && document !== null && !Array.isArray(document))
    return document as Record<string, unknown>;
  throw CliError.of('INVALID_ARGUMENT', `${path} holds no object`);
}

function unusable(path: string, cause: unknown): CliError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return CliError.of('INVALID_ARGUMENT', `${path} cannot be used: ${reason}`, { cause });
}
