/** Errors that a client may see, in llama-server's envelope: `{"error":{"code","message","type"}}`. */

/** llama-server's error types, and the status each goes with. */
const STATUS_OF = {
  invalid_request_error: 400,
  exceed_context_size_error: 400,
  not_found_error: 404,
  not_supported_error: 501,
  server_error: 500,
  unavailable_error: 503,
} as const;

/** The type of an error. */
export type ErrorType = keyof typeof STATUS_OF;

/** An error with a status and a type; anything else that is thrown is answered as a `server_error` without details. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;

  /**
   * @param type llama-server's error type
   * @param message what the client did, or what is missing
   * @param details further fields of the envelope
   */
  constructor(
    readonly type: ErrorType,
    message: string,
    readonly details: Readonly<Record<string, unknown>> & { readonly code?: number } = {},
  ) {
    super(message);
    this.status = details.code ?? STATUS_OF[type];
  }

  /** The body of the answer. */
  toBody(): { error: Record<string, unknown> } {
    return { error: { ...this.details, code: this.status, message: this.message, type: this.type } };
  }
}

/** Shorthand for the commonest one. */
export function invalid(message: string): HttpError {
  return new HttpError('invalid_request_error', message);
}
