/** `drover up`: what `npm start` does. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { CliError } from '../client/cli-error.js';
import { PACKAGE_ROOT } from '../settings/places.js';

/** Adds `up`. */
export function addUp(program: Command): void {
  program
    .command('up')
    .description('start Drover on this machine, as "npm start" does; Ctrl-C ends it')
    .action(becomeStack);
}

/** The stack's program takes this process over: its signals, its output, its exit code. */
async function becomeStack(): Promise<void> {
  process.chdir(PACKAGE_ROOT);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
  await runProgram('setup', 'bootstrap.mjs');
  if (process.exitCode !== undefined && process.exitCode !== 0) return; // It has told why.
  await runProgram('dist', 'stack', 'main.js');
}

async function runProgram(...parts: string[]): Promise<void> {
  const path = join(PACKAGE_ROOT, ...parts);
  if (!existsSync(path))
    throw CliError.of('INVALID_ARGUMENT', '"up" needs a checkout of Drover, and this is none', {
      details: { missing: path },
    });
  await import(pathToFileURL(path).href);
}
