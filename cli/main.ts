/** `drover`: the command line. */
import { CommanderError } from 'commander';
import { CliError, EXIT } from './client/cli-error.js';
import { Interrupts } from './interrupts.js';
import { Output } from './output/output.js';
import { showError } from './output/show-error.js';
import { createProgram } from './program.js';

// A reader that is gone is seen at the next write; a terminal that is gone by its signal.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const interrupts = new Interrupts();
interrupts.listen();

try {
  await createProgram({ env: process.env, stdin: process.stdin, interrupts }).parseAsync();
} catch (err) {
  process.exitCode = exitCodeOf(err);
}

function exitCodeOf(err: unknown): number {
  // Help and version were asked for.
  if (err instanceof CommanderError && err.exitCode === 0) return EXIT.ok;
  // Help in place of a command that is missing has been shown.
  if (err instanceof CommanderError && err.code === 'commander.help') return EXIT.error;
  return showError(
    err instanceof CommanderError ? misused(err) : err,
    new Output(process.argv.includes('--json')),
  );
}

function misused({ message }: CommanderError): CliError {
  return CliError.of('INVALID_ARGUMENT', message.replace(/^error: /, ''), {
    suggestedAction: '"drover --help" and "drover <command> --help" say what there is',
  });
}
