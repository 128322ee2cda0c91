/**
 * Error codes: the same string is the envelope's `code`, the workflow failure's type and a metric's `reason`.
 * One row a code says its HTTP status before a stream and whether a retry may help (data-plane 10, B-ERR-021).
 */
import { z } from 'zod';

const TABLE = {
  INVALID_PARAMS: { status: 400, retriable: false },
  DEADLINE_UNMET: { status: 400, retriable: false },
  UNTRUSTED_ARTIFACT: { status: 400, retriable: false },
  INVALID_MODEL_REFERENCE: { status: 400, retriable: false },
  INVALID_MODEL_PATH: { status: 400, retriable: false },
  MISSING_TOKEN: { status: 401, retriable: false },
  BAD_TOKEN: { status: 401, retriable: false },
  BAD_API_KEY: { status: 403, retriable: false },
  INVALID_SSH_USER: { status: 400, retriable: false },
  INVALID_SSH_HOST: { status: 400, retriable: false },
  FORBIDDEN_HOST: { status: 403, retriable: false },
  FORBIDDEN_ROLE: { status: 403, retriable: false },
  MODEL_ACCESS_DENIED: { status: 403, retriable: false },
  ROUTE_NOT_FOUND: { status: 404, retriable: false },
  TASK_NOT_FOUND: { status: 404, retriable: false },
  POOL_NOT_FOUND: { status: 404, retriable: false },
  OPERATION_NOT_FOUND: { status: 404, retriable: false },
  SESSION_NOT_FOUND: { status: 404, retriable: false },
  ARTIFACT_NOT_FOUND: { status: 404, retriable: false },
  MODEL_NOT_FOUND: { status: 404, retriable: false },
  KEY_NOT_FOUND: { status: 404, retriable: false },
  NODE_NOT_FOUND_IN_REGISTRY: { status: 404, retriable: false },
  NODE_NOT_REGISTERED: { status: 404, retriable: false },
  DUPLICATE_NODE: { status: 409, retriable: false },
  NODE_IN_USE: { status: 409, retriable: false },
  VERSION_MISMATCH: { status: 409, retriable: false },
  KEY_LIMIT: { status: 409, retriable: false },
  MODEL_IN_USE: { status: 409, retriable: false },
  TASK_CONFLICT: { status: 409, retriable: false },
  POOL_CONFLICT: { status: 409, retriable: false },
  DOWNLOAD_CONFLICT: { status: 409, retriable: false },
  MODEL_DEPRECATED: { status: 409, retriable: false },
  RELOAD_FAILED: { status: 409, retriable: false },
  INVALID_WORKER_URL: { status: 400, retriable: false },
  UNKNOWN_WORKER_STATE: { status: 400, retriable: false },
  WORKER_NOT_FOUND: { status: 404, retriable: false },
  WORKER_STATE_MISMATCH: { status: 409, retriable: true },
  INVALID_STATE_TRANSITION: { status: 409, retriable: false },
  OFFER_WITHDRAWN: { status: 410, retriable: false },
  ADMISSION_REJECT: { status: 429, retriable: true },
  QUEUE_FULL_DROP_LRU: { status: 429, retriable: true },
  RATE_LIMITED: { status: 429, retriable: true },
  CANCELLED: { status: 499, retriable: false },
  INTERNAL: { status: 500, retriable: false },
  PRELOAD_FAILED: { status: 500, retriable: false },
  DRAIN_FAILED: { status: 500, retriable: false },
  PURGE_FAILED: { status: 500, retriable: false },
  WORKER_RESET: { status: 502, retriable: true },
  SSH_TIMEOUT: { status: 502, retriable: true },
  SSH_CONNECTION_FAILED: { status: 502, retriable: false },
  SSH_COMMAND_FAILED: { status: 502, retriable: false },
  NODE_INSTALL_FAILED: { status: 502, retriable: false },
  DOWNLOAD_FAILED: { status: 502, retriable: true },
  MODEL_CORRUPTED: { status: 502, retriable: true },
  HEALTH_CHECK_ERROR: { status: 502, retriable: true },
  JSON_PARSE_ERROR: { status: 502, retriable: false },
  POOL_UNREADY: { status: 503, retriable: true },
  POOL_UNAVAILABLE: { status: 503, retriable: true },
  REPLICA_EXHAUSTED: { status: 503, retriable: true },
  SINGLE_NODE_MODE: { status: 503, retriable: false },
  NO_WORKERS: { status: 503, retriable: true },
  WORKER_UNHEALTHY: { status: 503, retriable: true },
  NO_WORKERS_REGISTERED: { status: 503, retriable: true },
  NO_READY_WORKERS: { status: 503, retriable: true },
  NO_WORKERS_FOR_STATE_CHECK: { status: 503, retriable: true },
  NO_WORKERS_FOR_TRANSITION: { status: 503, retriable: true },
  NO_WORKERS_IN_REGISTRY: { status: 503, retriable: true },
  NOT_LOADING: { status: 503, retriable: false },
  NO_IDLE_WORKERS: { status: 503, retriable: true },
  TEMPORAL_UNAVAILABLE: { status: 503, retriable: true },
  STORE_UNAVAILABLE: { status: 503, retriable: true },
  DECODE_TIMEOUT: { status: 504, retriable: true },
  CONNECTION_TIMEOUT: { status: 504, retriable: true },
  DOWNLOAD_TIMEOUT: { status: 504, retriable: true },
  INSUFFICIENT_DISK_SPACE: { status: 507, retriable: false },
  DISK_FULL: { status: 507, retriable: false },
} as const satisfies Record<string, { status: number; retriable: boolean }>;

/** Every code that Drover answers with. */
export type ErrorCode = keyof typeof TABLE;

const CODES = Object.keys(TABLE) as [ErrorCode, ...ErrorCode[]];

/** HTTP status of a code when no stream has begun. */
export function statusOf(code: ErrorCode): number {
  return TABLE[code].status;
}

/** True when the same request may succeed later. */
export function isRetriable(code: ErrorCode): boolean {
  return TABLE[code].retriable;
}

/** True when `code` is one of ours; what an engine or a library calls its error is not. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(TABLE, code);
}

/** One offending field of a request: path in dots, and what was expected there. */
export const errorDetail = z
  .object({ field: z.string(), problem: z.string() })
  .meta({ id: 'ErrorDetail', description: 'One offending field: its path in dots, and what is wrong' });

/** An error detail's type. */
export type ErrorDetail = z.infer<typeof errorDetail>;

/** The envelope: flat, the same object in an HTTP body and in an SSE `error` (B-DP-033, C-116). */
export const errorEnvelope = z
  .object({
    code: z.enum(CODES),
    message: z.string(),
    retriable: z.boolean(),
    engine: z.string().optional(),
    pool_id: z.string().optional(),
    retry_after_ms: z.int().optional(),
    policy_label: z.string().optional(),
    hint: z.string().optional(),
    error: z.string().optional().meta({ description: 'the message again, where the catalogue is asked' }),
    auth_code: z.int().optional(),
    details: z
      .union([z.array(errorDetail), z.record(z.string(), z.unknown())])
      .optional()
      .meta({
        description:
          'the offending fields; or, by name, what the refusal rests on: what was expected, what there is',
      }),
    correlation_id: z.string().optional(),
  })
  .meta({ id: 'Error', description: 'What every refusal answers with, and what an SSE `error` carries' });

/** The offending fields of a refusal; none where it rests on something else. */
export function offendingFields({ details }: Pick<ErrorEnvelope, 'details'>): readonly ErrorDetail[] {
  return Array.isArray(details) ? details : [];
}

/** The envelope's type. */
export type ErrorEnvelope = z.infer<typeof errorEnvelope>;

/** What a refusal may say beside code and message. */
export type ErrorExtras = Omit<Partial<ErrorEnvelope>, 'code' | 'message'>;

/** An error that a client may read: its message holds nothing of the inside (B-ERR-020). */
export class DroverError extends Error {
  override readonly name = 'DroverError';
  /** HTTP status where no stream has begun. */
  readonly status: number;

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly extras: ErrorExtras = {},
    { status = statusOf(code), ...options }: ErrorOptions & { status?: number } = {},
  ) {
    super(message, options);
    this.status = status;
  }

  /** The envelope of this error; `retriable` comes from the table unless the error knows better. */
  toEnvelope(correlationId?: string): ErrorEnvelope {
    return {
      code: this.code,
      message: this.message,
      retriable: isRetriable(this.code),
      ...this.extras,
      ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
    };
  }
}

/** `Retry-After` in whole seconds, at least one (B-DP-031). */
export function retryAfterSeconds(retryAfterMs: number): number {
  return Math.max(1, Math.floor(retryAfterMs / 1000));
}
