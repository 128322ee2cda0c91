/**
 * Error code -> ApplicationFailure, in one place (style §5): the type is what operators read and workflows decide by,
 * `details[0]` holds the facts, retryability is the code's unless the caller knows better.
 */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { POOL_FAILURES, type PoolFailureType } from '../domain/pool-failure.js';

/** Facts of a failure, as `details[0]`. */
export interface PoolFailureDetails {
  pool_id: string;
  replica_id?: string;
  pid?: number;
  url?: string;
  elapsed_ms?: number;
  attempts?: number;
  exit_code?: number | null;
  signal?: string | null;
  /** What it rests on, for those who asked: a code of nodes-and-workers 11, and figures by name. */
  cause?: Readonly<Record<string, unknown>>;
}

/** What a failure may say beside type and words. */
export interface PoolFailureOptions {
  cause?: unknown;
  /** Overrules the code's own retryability. */
  retryable?: boolean;
  nextRetryDelayMs?: number;
  /** Expected while things go well, such as an engine that still loads: neither logged as an error nor counted. */
  benign?: boolean;
}

/** The failure of an operation on a pool. */
export function poolFailure(
  type: PoolFailureType,
  message: string,
  details: PoolFailureDetails,
  options: PoolFailureOptions = {},
): ApplicationFailure {
  const { cause, nextRetryDelayMs, benign = false } = options;
  return ApplicationFailure.create({
    message,
    type,
    nonRetryable: !(options.retryable ?? POOL_FAILURES[type].retryable),
    details: [details],
    ...(cause instanceof Error ? { cause } : {}),
    ...(nextRetryDelayMs === undefined ? {} : { nextRetryDelay: nextRetryDelayMs }),
    ...(benign ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
}

/** What the system says of a failed call, its code first: `ENOENT: no such file or directory`. */
export function systemReason(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  // Node's own texts go on with the call and the path, which our messages name themselves.
  const [, reason] = /^(E[A-Z0-9]+: [^,]+), /.exec(err.message) ?? [];
  return reason ?? err.message;
}
