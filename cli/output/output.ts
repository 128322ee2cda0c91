/** What a command says: data on standard output, words about it on standard error (B-CLI-012). */
import { once } from 'node:events';
import { styleText } from 'node:util';
import { Interrupted } from '../client/cli-error.js';

/** What a shell says of a program that SIGPIPE has ended. */
const NOBODY_READS = 141;

/** Off a terminal a log is read later: it needs no line a second. */
const PROGRESS_EVERY_MS = 10_000;

type Style = Parameters<typeof styleText>[0];

/** The two streams of a process. */
export interface Streams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

/** Output of one command. */
export class Output {
  private progressAtMs = -Infinity;
  private hasProgress = false;

  constructor(
    /** True where data are JSON. */
    readonly json: boolean,
    private readonly streams: Streams = process,
  ) {}

  /** True where a person reads the data. */
  get isTerminal(): boolean {
    return this.streams.stdout.isTTY && !this.json;
  }

  /**
   * Data, as they are. Waits while the reader cannot keep up, so that nothing piles up here.
   * @throws Interrupted when nobody reads any more
   */
  async write(text: string): Promise<void> {
    const { stdout } = this.streams;
    if (stdout.destroyed) throw new Interrupted(NOBODY_READS);
    if (stdout.write(text)) return;
    await once(stdout, 'drain').catch(() => {
      throw new Interrupted(NOBODY_READS);
    });
  }

  /** A line of data. */
  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** Data for a program, or the same for a person. */
  async show(value: unknown, human: () => string | readonly string[]): Promise<void> {
    if (this.json) return this.line(JSON.stringify(value));
    const lines = human();
    await this.write(typeof lines === 'string' ? `${lines}\n` : lines.map((text) => `${text}\n`).join(''));
  }

  /** Words for a person: progress, remarks. */
  note(text: string): void {
    this.streams.stderr.write(`${this.paintNote('dim', text)}\n`);
  }

  /** How far something is: one line that changes on a terminal; elsewhere a line now and then, with `--json` each. */
  progress(text: string): void {
    const { stderr } = this.streams;
    if (stderr.isTTY && !this.json) {
      stderr.write(`\r\u001b[2K${text}`);
      this.hasProgress = true;
      return;
    }
    const now = Date.now();
    if (!this.json && now - this.progressAtMs < PROGRESS_EVERY_MS) return;
    this.progressAtMs = now;
    this.note(text);
  }

  /** The line of {@link progress} stays as it is; what comes next is below it, and is told at once. */
  endProgress(): void {
    if (this.hasProgress) this.streams.stderr.write('\n');
    this.hasProgress = false;
    this.progressAtMs = -Infinity;
  }

  /** Coloured on a terminal that wants it, else as it is. */
  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.streams.stdout });
  }

  /** The same, for standard error. */
  paintNote(style: Style, text: string): string {
    return styleText(style, text, { stream: this.streams.stderr });
  }

  /** Words without colour, such as an error. */
  complain(text: string): void {
    this.streams.stderr.write(`${text}\n`);
  }
}
