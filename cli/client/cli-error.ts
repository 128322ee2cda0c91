/** What ends a command badly: one record that a person and a program can read, and the exit code that goes with it. */

/** Codes of what goes wrong on the client's side; what the API refuses keeps its own code. */
export type ClientCode =
  | `${StreamKind}_${'FAILED' | 'ERROR' | 'TIMEOUT'}`
  | 'NO_TOKENS_GENERATED'
  | 'TOKEN_COUNT_MISMATCH'
  | 'NO_WORKERS'
  | 'NO_WORKERS_FOR_SSE'
  | 'HEALTH_CHECK_ERROR'
  | 'HTTP_TIMEOUT'
  | 'HTTP_CONNECTION_FAILED'
  | 'HTTP_REQUEST_FAILED'
  | 'HTTP_READ_ERROR'
  | 'JSON_PARSE_ERROR'
  | 'CIRCUIT_BREAKER_OPEN'
  | 'OPERATION_FAILED'
  | 'CHECK_FAILED'
  | 'SSH_KEY_NOT_FOUND'
  | 'INVALID_ARGUMENT'
  | 'INVALID_CONFIG';

/** Streams of events, as the codes name them: a task's tokens, an operation's progress, any other. */
export type StreamKind = 'TOKEN_STREAM' | 'PROGRESS_STREAM' | 'SSE_CONNECTION';

/** What is shown of an error: as JSON with `--json`, else in lines. */
export interface ErrorRecord {
  code: string;
  message: string;
  details?: unknown;
  correlation_id?: string;
  suggested_action?: string;
  [field: string]: unknown;
}

/** What a record may say beside code and message. */
export interface ErrorMore {
  /** What was expected and what was there. */
  details?: Record<string, unknown>;
  correlationId?: string | undefined;
  /** Overrides the usual next step of the code. */
  suggestedAction?: string | undefined;
  /** All that the API said, when the error is the API's. */
  envelope?: Readonly<Record<string, unknown>>;
  /** True where the code's name does not say that it is a time-out. */
  timedOut?: boolean;
  cause?: unknown;
}

/** Exit codes (nodes-and-workers 10). */
export const EXIT = { ok: 0, error: 1, timeout: 124, interrupted: 130 } as const;

/** An error that is told with its code. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly code: string,
    message: string,
    readonly more: ErrorMore = {},
  ) {
    super(message, { cause: more.cause });
  }

  /** An error that is our own, by its code. */
  static of(code: ClientCode, message: string, more: ErrorMore = {}): CliError {
    return new CliError(code, message, more);
  }

  /** 124 after any time-out, whatever its HTTP status was (B-EXIT-003, B-EXIT-005). */
  get exitCode(): number {
    return this.more.timedOut === true || this.code.endsWith('_TIMEOUT') ? EXIT.timeout : EXIT.error;
  }

  /** The record; an envelope of the API is shown as it came. */
  toRecord(suggestedAction: string | undefined): ErrorRecord {
    const { envelope, details, correlationId } = this.more;
    const action = this.more.suggestedAction ?? suggestedAction;
    return {
      ...envelope,
      code: this.code,
      message: this.message,
      ...(details === undefined ? {} : { details: withEnvelopes(envelope, details) }),
      ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
      ...(action === undefined ? {} : { suggested_action: action }),
    };
  }
}

/** A signal ended the command; the exit code is the shell's for it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly exitCode: number) {
    super('interrupted');
  }
}

function withEnvelopes(envelope: ErrorMore['envelope'], details: Record<string, unknown>): unknown {
  // The API's details are a list of fields: it stays what a reader of the API knows.
  return envelope?.['details'] ?? details;
}
