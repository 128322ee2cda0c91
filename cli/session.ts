/** What every command has: its target, its output, its limits, and the end that a signal makes. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { ApiHttp } from './client/http.js';
import { LIMITS, type Limits } from './client/limits.js';
import type { Interrupts } from './interrupts.js';
import { Output } from './output/output.js';
import { findTarget, type FoundTarget } from './settings/find-target.js';

/** The process that commands run in. */
export interface Runtime {
  env: Readonly<Record<string, string | undefined>>;
  stdin: NodeJS.ReadStream;
  interrupts: Interrupts;
}

/** A command under way. */
export interface Session {
  target: FoundTarget;
  http: ApiHttp;
  out: Output;
  runtime: Runtime;
}

/** Options that every command has. */
interface CommonOptions {
  url?: string;
  key?: string;
  json?: boolean;
  timeout: number;
  connectTimeout: number;
  firstEventTimeout: number;
  idleTimeout: number;
}

/** What a command does: its arguments as they were given, its own options, and the session. */
export type Work<Options extends object> = (
  session: Session,
  args: readonly (string | undefined)[],
  options: Options,
) => Promise<void>;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A time on the command line, in milliseconds. @throws InvalidArgumentError */
export function duration(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS[unit] ?? NaN);
  // Timers hold no more.
  if (Number.isNaN(ms) || ms > 2_147_483_647)
    throw new InvalidArgumentError('It is a time such as 500ms, 10s, 5m or 1h.');
  return ms;
}

/** A whole number on the command line. @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number.');
  return Number(text);
}

/** A number on the command line. @throws InvalidArgumentError */
export function anyNumber(text: string): number {
  if (!/^-?\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It is a number.');
  return Number(text);
}

/** An option that may be given several times. */
export function several(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

const limit = (flags: string, env: string, what: string, byDefault: number) =>
  new Option(flags, what)
    .env(env)
    .argParser(duration)
    .default(byDefault, `${byDefault / 1_000}s`);

/** Adds the options that every command has. */
export function addCommonOptions(program: Command): void {
  program
    .option('--url <url>', 'address of the API (DROVER_URL)')
    .option('--key <key>', 'API key; others on this machine may see it, DROVER_API_KEY they do not')
    .option('--json', 'data on standard output and errors on standard error as JSON')
    .addOption(limit('--timeout <time>', 'DROVER_CLI_TIMEOUT', 'limit of a quick call', LIMITS.quickMs))
    .addOption(
      limit(
        '--connect-timeout <time>',
        'DROVER_CLI_CONNECT_TIMEOUT',
        'until a stream begins',
        LIMITS.connectMs,
      ),
    )
    .addOption(
      limit(
        '--first-event-timeout <time>',
        'DROVER_CLI_FIRST_EVENT_TIMEOUT',
        'until its first event',
        LIMITS.firstEventMs,
      ),
    )
    .addOption(
      limit('--idle-timeout <time>', 'DROVER_CLI_IDLE_TIMEOUT', 'between two events', LIMITS.idleMs),
    );
}

/** A command's action: opens a session, does the work, and leaves no connection. */
export function acts<Options extends object>(runtime: Runtime, work: Work<Options>) {
  return async (...all: unknown[]): Promise<void> => {
    const command = all.at(-1) as Command;
    const session = openSession(runtime, command.optsWithGlobals<CommonOptions>());
    try {
      await work(session, command.processedArgs as (string | undefined)[], command.opts<Options>());
    } finally {
      await session.http.dispatcher.destroy();
    }
  };
}

function openSession(runtime: Runtime, options: CommonOptions): Session {
  const target = findTarget(options, runtime.env);
  const http = new ApiHttp(target, limitsOf(options), runtime.interrupts.signal);
  return { target, http, out: new Output(options.json === true), runtime };
}

function limitsOf(options: CommonOptions): Limits {
  const { timeout, connectTimeout, firstEventTimeout, idleTimeout } = options;
  return {
    ...LIMITS,
    quickMs: timeout,
    connectMs: connectTimeout,
    firstEventMs: firstEventTimeout,
    idleMs: idleTimeout,
  };
}
