/** What the API's log says of its admissions: every task of a bench must have started eagerly. */
import { logSize } from '../../stack/process-log.js';
import { eventually } from '../../testing/changes.js';
import { readFrom } from './log-book.js';

/** Admissions counted. */
export interface Admissions {
  admitted: number;
  eager: number;
}

/** Reader of an API's log from now on. */
export class AdmissionBook {
  private constructor(
    private readonly log: string,
    private from: number,
  ) {}

  /** Begins at the log's end. */
  static async open(log: string): Promise<AdmissionBook> {
    return new AdmissionBook(log, await logSize(log));
  }

  /**
   * Waits until `expected` admissions are logged since the last call.
   * @throws Error when one of them did not start eagerly, or there are others
   */
  async mustBeEager(expected: number): Promise<void> {
    let found: Admissions = { admitted: 0, eager: 0 };
    await eventually(
      () => `${expected} admissions in the log of the API, which has ${found.admitted}`,
      async () => {
        found = count(await readFrom(this.log, this.from));
        return found.admitted >= expected ? true : undefined;
      },
    );
    if (found.admitted !== expected || found.eager !== expected) {
      throw new Error(`${found.eager} of ${found.admitted} starts were eager; all of ${expected} must be`);
    }
    this.from = await logSize(this.log);
  }
}

/** Counts the admissions in log lines. */
export function count(text: string): Admissions {
  const lines = text.split('\n').filter((line) => line.includes('"event":"admitted"'));
  return {
    admitted: lines.length,
    eager: lines.filter((line) => line.includes('"eager_start":true')).length,
  };
}
