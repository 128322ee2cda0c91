/** The command line as a process: what it says, with which code it ends, and what a terminal would send it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { Changes } from './changes.js';

/** How it is run. */
export interface CliPlan {
  /** Program and what stands before the arguments. */
  command: readonly [string, ...string[]];
  args: readonly string[];
  /** Whole environment, but for `PATH`. */
  env: Readonly<Record<string, string>>;
  /** Standard input to its end; without it there is none. */
  stdin?: string;
}

/** A run of the command line. */
export class CliRun {
  stdout = '';
  stderr = '';
  private readonly changes = new Changes();
  private readonly child: ChildProcess;
  private ended: { code: number | null; signal: NodeJS.Signals | null } | undefined;

  constructor({ command: [program, ...before], args, env, stdin }: CliPlan) {
    const child = spawn(program, [...before, ...args], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.heard('stdout', text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.heard('stderr', text));
    child.stdin.on('error', () => undefined); // It may end without having read.
    child.stdin.end(stdin ?? '');
    child.once('close', (code, signal) => {
      this.ended = { code, signal };
      this.changes.notify();
    });
    this.child = child;
  }

  /** Its exit code, when it has ended; a run that a signal has ended has none. */
  exitCode(withinMs?: number): Promise<number | null> {
    return this.changes
      .until(
        () => `the end of the command; it said ${this.stderr}`,
        () => this.ended,
        withinMs,
      )
      .then(({ code }) => code);
  }

  /** Waits until standard output holds a text. */
  said(text: string, withinMs?: number): Promise<true> {
    const found = () => (this.stdout.includes(text) ? (true as const) : undefined);
    return this.changes.until(() => `"${text}" in "${this.stdout}" ${this.stderr}`, found, withinMs);
  }

  /** Waits until standard output has so many characters. */
  saidMuch(length: number, withinMs?: number): Promise<true> {
    const found = () => (this.stdout.length >= length ? (true as const) : undefined);
    return this.changes.until(() => `${length} characters; ${this.stdout} ${this.stderr}`, found, withinMs);
  }

  /** Sends a signal, as a terminal does. */
  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** The error record of a run with `--json`. */
  get errorRecord(): Record<string, unknown> {
    const line = this.stderr.split('\n').findLast((text) => text.startsWith('{')) ?? '';
    return JSON.parse(line) as Record<string, unknown>;
  }

  private heard(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text;
    this.changes.notify();
  }
}
