/** A server that has a model's file, whatever it speaks: it gives the bytes from a place on. */

/** What is asked for. */
export interface OriginQuestion {
  /** Bytes that are here already. */
  offset: number;
  /** Tag of the answer that they came with: another one's bytes do not belong to them. */
  tag: string | null;
  /** Aborts the request and the body. */
  signal: AbortSignal;
}

/** The file from a place on. */
export interface OriginAnswer {
  /** Where the bytes begin: at what was asked for, or at 0. */
  offset: number;
  /** Size of the whole file; null where the server does not say. */
  totalBytes: number | null;
  /** Proves later bytes to be of the same file; null where the server has no such thing. */
  tag: string | null;
  /** Hex, where the server tells one. */
  sha256: string | null;
  body: AsyncIterable<Uint8Array>;
  /** Gives up a body that is not read. */
  close(): void;
}

/** What is here of the file is no beginning of what the server has: ask for all of it. */
export class FileChangedError extends Error {
  override readonly name = 'FileChangedError';

  constructor() {
    super('the file of the server has changed');
  }
}

/**
 * Asks for the file.
 * @throws FileChangedError where the bytes that are here are of no use
 * @throws ApplicationFailure of `downloadFailure` for what the server refuses; whatever the connection throws
 */
export type AskOrigin = (question: OriginQuestion) => Promise<OriginAnswer>;
