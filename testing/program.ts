/**
 * A program that a test starts and ends: its output kept in a file, its JSON log lines readable, its end awaited. It
 * stays in the test runner's process group and has a pipe for standard input, so that it never outlives the runner.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Changes, PATIENCE_MS } from './changes.js';

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
  private readonly log: WriteStream;
  private readonly changes = new Changes();
  private readonly tail: string[] = [];
  private readonly logged: LogLine[] = [];
  private exit: ProgramExit | undefined;
  private expectedToEnd = false;

  /** @throws Error when the system does not start it */
  constructor(private readonly plan: ProgramPlan) {
    this.child = spawn(plan.command, plan.args, {
      env: { ...environmentWithoutSettings(), ...plan.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.log = createWriteStream(plan.logFile, { flags: 'a' });
    for (const output of [this.child.stdout, this.child.stderr]) {
      if (output !== null) createInterface({ input: output }).on('line', (line) => this.take(line));
    }
    this.child.stdin?.on('error', () => undefined); // It ended; `exited` says so.
    this.exited = new Promise((resolve) => {
      const ended = (exit: ProgramExit): void => {
        this.exit = exit;
        this.log.end();
        this.changes.notify();
        resolve(exit);
      };
      this.child.once('error', (err) => {
        this.take(String(err));
        ended({ code: null, signal: null });
      });
      this.child.once('close', (code, signal) => ended({ code, signal }));
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
    return this.logged;
  }

  /** The end of its output, for error messages. */
  get lastWords(): string {
    return this.tail.join('\n');
  }

  /** Waits for a log line, also one that has been written already. */
  waitForLog(what: string, wanted: (line: LogLine) => boolean, withinMs = PATIENCE_MS): Promise<LogLine> {
    const found = (): LogLine | undefined => {
      const line = this.logged.find(wanted);
      if (line === undefined && this.exit !== undefined) {
        throw new Error(`${this.name} ended without ${what}\n${this.lastWords}`);
      }
      return line;
    };
    return this.changes.until(() => `${what} in the log of ${this.name}\n${this.lastWords}`, found, withinMs);
  }

  /** Waits for the end that the program comes to by itself, such as a refusal to start. */
  async waitForExit(withinMs = PATIENCE_MS): Promise<ProgramExit> {
    this.expectedToEnd = true;
    return this.changes.until(
      () => `the end of ${this.name}`,
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

  private take(line: string): void {
    this.log.write(`${line}\n`);
    this.tail.push(line);
    if (this.tail.length > TAIL_LINES) this.tail.shift();
    const parsed = line.startsWith('{') ? parseLine(line) : undefined;
    if (parsed !== undefined) this.logged.push(parsed);
    this.changes.notify();
  }
}

/** Settings in the shell of whoever runs the tests must not change what is tested. */
function environmentWithoutSettings(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !/^(DROVER|TEMPORAL)_/.test(name)));
}

function parseLine(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined; // Text that only looks like a log line.
  }
}
