/** What stops `npm start` and can be mended by the person at the terminal. */

/** Its message is one clear line: what is wrong and what to do. Printed without a stack, exit code 1. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** Receives one line of progress. */
export type Say = (line: string) => void;
