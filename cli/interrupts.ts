/** Signals: the first ends what is under way in an orderly manner, the second ends the process. */
import { constants } from 'node:os';
import { Interrupted } from './client/cli-error.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Interruptions of this process. */
export class Interrupts {
  private readonly whole = new AbortController();
  private part: AbortController | undefined;

  /** Listens to the signals of a terminal and of operators. */
  listen(): void {
    for (const name of SIGNALS) process.on(name, () => this.raise(128 + constants.signals[name]));
  }

  /** Aborted when the command shall end. */
  get signal(): AbortSignal {
    return this.whole.signal;
  }

  /** Ends what is under way. */
  raise(exitCode: number): void {
    const current = this.part ?? this.whole;
    if (current.signal.aborted) process.exit(exitCode);
    current.abort(new Interrupted(exitCode));
  }

  /** Runs a part of a command that is interrupted alone, such as one answer of a conversation. */
  async apart<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const part = new AbortController();
    this.part = part;
    try {
      return await work(AbortSignal.any([part.signal, this.whole.signal]));
    } finally {
      this.part = undefined;
    }
  }
}
