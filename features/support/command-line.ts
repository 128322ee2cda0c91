/** The command line as a person runs it, on the API of the scenario's stack. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliRun } from '../../testing/run-cli.js';
import { PROGRAMS } from './places.js';
import type { Stack } from './stack.js';

/** How a command is run. */
interface Surroundings {
  /** What is piped into it. */
  stdin?: string;
  /** Another key than the stack's own. */
  key?: string;
}

/** Commands of one scenario. */
export class CommandLine {
  private readonly runs: CliRun[] = [];
  private readonly kept = new Map<string, string>();
  private readonly undoing: (() => void)[] = [];

  constructor(
    private readonly stack: () => Stack,
    private readonly fill: (text: string) => string,
  ) {}

  /** The command that was started last. */
  get last(): CliRun {
    const run = this.runs.at(-1);
    if (run === undefined) throw new Error('no command was run');
    return run;
  }

  /** Starts a command, as it is written in a shell, but for `drover`. */
  start(line: string, { stdin, key }: Surroundings = {}): void {
    const stack = this.stack();
    const env = {
      DROVER_URL: stack.mustApi().client.url,
      DROVER_API_KEY: key === undefined ? stack.key : this.filled(key),
      // The configuration of whoever runs the tests is none of ours.
      HOME: stack.stateDir,
      DROVER_STATE_DIR: stack.stateDir,
    };
    const command = [process.execPath, '--enable-source-maps', PROGRAMS.cli] as const;
    const run = new CliRun({
      command,
      args: argumentsOf(this.filled(line)),
      env,
      ...(stdin === undefined ? {} : { stdin }),
    });
    this.runs.push(run);
  }

  /** Waits for the end of the last command, and compares its exit code. */
  async endsWith(exitCode: number): Promise<void> {
    const { last } = this;
    assert.equal(await last.exitCode(), exitCode, `${last.stdout}\n${last.stderr}`);
    for (const undo of this.undoing.splice(0)) undo();
  }

  /** Keeps something that a command has printed: `<name>` stands for it in later ones. */
  keep(name: string, value: unknown): void {
    this.kept.set(name, String(value));
  }

  /** Done once the last command has ended. */
  afterwards(undo: () => void): void {
    this.undoing.push(undo);
  }

  /** What a command has printed with `--json`. */
  get data(): Record<string, unknown> {
    return JSON.parse(this.last.stdout) as Record<string, unknown>;
  }

  /** Writes a file that a command can read, by `<name>`. */
  async file(name: string, content: unknown): Promise<void> {
    const path = join(this.stack().stateDir, `${name}.json`);
    await writeFile(path, JSON.stringify(content));
    this.keep(name, path);
  }

  /** Ends what still runs, as a terminal that is closed does. */
  async endAll(): Promise<void> {
    for (const undo of this.undoing.splice(0)) undo();
    await Promise.all(
      this.runs.map((run) => {
        run.signal('SIGKILL');
        return run.exitCode();
      }),
    );
  }

  private filled(text: string): string {
    return this.fill(text).replace(/<([\w-]+)>/g, (whole, name: string) => this.kept.get(name) ?? whole);
  }
}

function argumentsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
