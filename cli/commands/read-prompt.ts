/** The prompt on standard input. */
import { text } from 'node:stream/consumers';
import { CliError } from '../client/cli-error.js';

/** Reads it to its end. @throws CliError INVALID_ARGUMENT where there is none */
export async function readPrompt(stdin: NodeJS.ReadStream): Promise<string> {
  if (stdin.isTTY) throw CliError.of('INVALID_ARGUMENT', 'there is no prompt: give it after the model');
  const prompt = await text(stdin);
  if (prompt.trim() !== '') return prompt;
  throw CliError.of('INVALID_ARGUMENT', 'there is no prompt: standard input is empty');
}
