/**
 * Refusals of the worker's own routes, in the envelope of nodes and workers: `{"error":{"code","message","details"}}`. The
 * codes are words, for programs; llama-server's routes keep llama-server's envelope (`http-error.ts`).
 */

/** What a worker refuses with, and the status that goes with it. */
const STATUS_OF = {
  INVALID_JSON: 400,
  INVALID_REQUEST_FORMAT: 400,
  INVALID_REQUEST: 400,
  MISSING_TOKEN: 401,
  BAD_TOKEN: 401,
  REQUEST_TIMEOUT: 408,
  JOB_CONFLICT: 409,
  INTERNAL: 500,
  ALL_SLOTS_BUSY: 503,
  WORKER_LOADING: 503,
  WORKER_DRAINING: 503,
  NOT_LOADING: 503,
} as const;

/** One of the codes. */
export type WorkerErrorCode = keyof typeof STATUS_OF;

/** A refusal whose words the client may read. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  readonly status: number;

  /** @param details - what the refusal rests on */
  constructor(
    readonly code: WorkerErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.status = STATUS_OF[code];
  }

  /**
   * The body of the answer. What the contract names beside the code (the slots of a worker that is full, its state, the list
   * of wrong fields) stands where it names it, and in the details.
   */
  toBody(correlationId?: string): Record<string, unknown> {
    const { code, message, details } = this;
    const { errors, ...facts } = details;
    const correlation = correlationId === undefined ? {} : { correlation_id: correlationId };
    return {
      error: { ...facts, code, message, details, ...correlation },
      ...(errors === undefined ? {} : { errors }),
    };
  }
}
