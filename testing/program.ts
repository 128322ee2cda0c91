/**
 * A program that a test starts and ends: its output in a file, its JSON log lines readable, its end awaited. It stays in
 * the test runner's process group, its standard input is a pipe that ends with the runner, and its output is a raw
 * descriptor: a pipe would break at the runner's death, and programs that log into it would die before they clean up.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { eventually, PATIENCE_MS } from './changes.js';

/** What to start. */
export interface ProgramPlan {
  /** How errors call it. */
  name: string;
  command: string;
  args: readonly string[];
  /** Added to the runner's own environment, of which Drover's and Temporal's settings are left out. */
  env: Readonly<Record<string, string>>;
  /** Standard output and error, appended. */
  logFile: string;
}

/** How a program ended. */
export interface ProgramExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A structured log line. */
export type LogLine = Readonly<Record<string, unknown>>;

/** Lines that an error message repeats. */
const TAIL_LINES = 15;

/** A started program. */
export class Program {
  readonly pid: number;
  /** Settles at the end; never rejects. */
  readonly exited: Promise<ProgramExit>;
  private readonly child: ChildProcess;
  private readonly logStart: number;
  private exit: ProgramExit | undefined;
  private expectedToEnd = false;

  constructor(private readonly plan: ProgramPlan) {
    this.logStart = existsSync(plan.logFile) ? statSync(plan.logFile).size : 0;
    const log = openSync(plan.logFile, 'a');
    this.child = spawn(plan.command, plan.args, {
      env: { ...environmentWithoutSettings(), ...plan.env },
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    this.child.stdin?.on('error', () => undefined); // It ended; `exited` says so.
    this.exited = new Promise((resolve) => {
      const ended = (exit: ProgramExit): void => {
        this.exit = exit;
        resolve(exit);
      };
      this.child.once('error', () => ended({ code: null, signal: null }));
      this.child.once('exit', (code, signal) => ended({ code, signal }));
    });
    this.pid = this.child.pid ?? 0;
  }

  get name(): string {
    return this.plan.name;
  }

  get running(): boolean {
    return this.exit === undefined;
  }

  /** True when it ended though nobody had asked for it. */
  get crashed(): boolean {
    return this.exit !== undefined && !this.expectedToEnd;
  }

  /** Log lines so far, the oldest first. */
  get logLines(): readonly LogLine[] {
    return this.lines()
      .map(parseLine)
      .filter((line) => line !== undefined);
  }

  /** The end of its output, for error messages. */
  get lastWords(): string {
    return this.lines().slice(-TAIL_LINES).join('\n');
  }

  /** Waits for a log line, also one that has been written already. */
  waitForLog(what: string, wanted: (line: LogLine) => boolean, withinMs = PATIENCE_MS): Promise<LogLine> {
    const found = (): LogLine | undefined => {
      const over = this.exit !== undefined;
      const line = this.logLines.find(wanted);
      if (line === undefined && over)
        throw new Error(`${this.name} ended without ${what}\n${this.lastWords}`);
      return line;
    };
    return eventually(() => `${what} in the log of ${this.name}\n${this.lastWords}`, found, withinMs);
  }

  /** Waits for the end that the program comes to by itself, such as a refusal to start. */
  async waitForExit(withinMs = PATIENCE_MS): Promise<ProgramExit> {
    this.expectedToEnd = true;
    return eventually(
      () => `the end of ${this.name}\n${this.lastWords}`,
      () => this.exit,
      withinMs,
    );
  }

  /** Sends a signal that is meant to end it, and waits for the end. */
  async kill(signal: NodeJS.Signals, withinMs = PATIENCE_MS): Promise<ProgramExit> {
    this.expectedToEnd = true;
    this.child.kill(signal);
    return this.waitForExit(withinMs);
  }

  /** Ends it gracefully, and after `graceMs` by force. */
  async stop(graceMs = PATIENCE_MS): Promise<void> {
    if (!this.running) return;
    await this.kill('SIGTERM', graceMs).catch(() => this.kill('SIGKILL'));
  }

  private lines(): string[] {
    return readFileSync(this.plan.logFile).subarray(this.logStart).toString('utf8').split('\n').slice(0, -1);
  }
}

/** Settings in the shell of whoever runs the tests must not change what is tested. */
const SETTINGS = /^(DROVER|TEMPORAL)_|^(AUTH_(OPTIONAL|TOKEN)|LLORCH_API_TOKEN|TRUST_PROXY_AUTH)/;

function environmentWithoutSettings(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !SETTINGS.test(name)));
}

function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined; // Text that only looks like a log line.
  }
}
