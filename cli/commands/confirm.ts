/** Asking before something goes that does not come back. */
import { createInterface } from 'node:readline/promises';
import { CliError } from '../client/cli-error.js';
import type { Session } from '../session.js';

/** Asks a person; where there is none, `--yes` must have been said. @throws CliError INVALID_ARGUMENT when it is not wanted */
export async function confirm({ runtime: { stdin, interrupts } }: Session, question: string): Promise<void> {
  if (!stdin.isTTY) throw CliError.of('INVALID_ARGUMENT', `${question} Nobody can be asked here: say --yes`);
  const asked = createInterface({ input: stdin, output: process.stderr });
  try {
    asked.on('SIGINT', () => interrupts.raise(130));
    const answer = await asked.question(`${question} [y/N] `, { signal: interrupts.signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } catch (err) {
    interrupts.signal.throwIfAborted();
    throw err;
  } finally {
    asked.close();
  }
  throw CliError.of('INVALID_ARGUMENT', 'nothing was done');
}
