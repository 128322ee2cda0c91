/**
 * What goes wrong with nodes and workers, as whoever asked for a task is told of it: in the codes of tasks alone, with the
 * code that it has there kept as `details.cause_code` (nodes-and-workers 11, B-RERR-002).
 */
import { DroverError, offendingFields, type ErrorCode, type ErrorEnvelope } from './errors.js';

const OF_TASKS = {
  NO_WORKERS: 'POOL_UNREADY',
  NO_WORKERS_REGISTERED: 'POOL_UNREADY',
  NO_READY_WORKERS: 'POOL_UNREADY',
  NO_WORKERS_FOR_STATE_CHECK: 'POOL_UNREADY',
  NO_WORKERS_FOR_TRANSITION: 'POOL_UNREADY',
  NO_WORKERS_IN_REGISTRY: 'POOL_UNREADY',
  NO_IDLE_WORKERS: 'REPLICA_EXHAUSTED',
  NOT_LOADING: 'POOL_UNREADY',
  WORKER_UNHEALTHY: 'POOL_UNAVAILABLE',
  WORKER_NOT_FOUND: 'POOL_UNAVAILABLE',
  WORKER_STATE_MISMATCH: 'POOL_UNAVAILABLE',
  INVALID_STATE_TRANSITION: 'POOL_UNAVAILABLE',
  HEALTH_CHECK_ERROR: 'POOL_UNAVAILABLE',
  UNKNOWN_WORKER_STATE: 'INVALID_PARAMS',
  INVALID_WORKER_URL: 'POOL_UNAVAILABLE',
  NODE_NOT_FOUND_IN_REGISTRY: 'POOL_UNAVAILABLE',
  NODE_NOT_REGISTERED: 'POOL_UNAVAILABLE',
  NODE_IN_USE: 'POOL_UNAVAILABLE',
  NODE_INSTALL_FAILED: 'POOL_UNAVAILABLE',
  DUPLICATE_NODE: 'POOL_UNAVAILABLE',
  VERSION_MISMATCH: 'POOL_UNAVAILABLE',
  INVALID_SSH_USER: 'POOL_UNAVAILABLE',
  INVALID_SSH_HOST: 'POOL_UNAVAILABLE',
  CONNECTION_TIMEOUT: 'POOL_UNAVAILABLE',
  JSON_PARSE_ERROR: 'POOL_UNAVAILABLE',
  SSH_TIMEOUT: 'POOL_UNAVAILABLE',
  SSH_CONNECTION_FAILED: 'POOL_UNAVAILABLE',
  SSH_COMMAND_FAILED: 'POOL_UNAVAILABLE',
  INSUFFICIENT_DISK_SPACE: 'POOL_UNAVAILABLE',
  DISK_FULL: 'POOL_UNAVAILABLE',
  INVALID_MODEL_REFERENCE: 'INVALID_PARAMS',
  INVALID_MODEL_PATH: 'INVALID_PARAMS',
  MODEL_ACCESS_DENIED: 'MODEL_NOT_FOUND',
  MODEL_CORRUPTED: 'POOL_UNREADY',
  DOWNLOAD_FAILED: 'POOL_UNREADY',
  DOWNLOAD_TIMEOUT: 'POOL_UNREADY',
  DOWNLOAD_CONFLICT: 'POOL_UNREADY',
} as const satisfies Partial<Record<ErrorCode, ErrorCode>>;

/** The code that a task's client is told for this one. */
export function taskCodeOf(code: ErrorCode): ErrorCode {
  return (OF_TASKS as Partial<Record<ErrorCode, ErrorCode>>)[code] ?? code;
}

/** The error as a task's client is told of it; one that speaks of tasks already is left as it is. */
export function asTaskError(error: DroverError): DroverError {
  const code = taskCodeOf(error.code);
  if (code === error.code) return error;
  // Whether another try may help is the new code's to say.
  const { retriable: _, ...extras } = error.extras;
  return new DroverError(
    code,
    error.message,
    { ...extras, details: { ...known(extras), cause_code: error.code } },
    { cause: error },
  );
}

/** The same for an envelope that is kept, or on its way. */
export function asTaskEnvelope({ correlation_id, ...envelope }: ErrorEnvelope): ErrorEnvelope {
  const { code, message, ...extras } = envelope;
  return asTaskError(new DroverError(code, message, extras)).toEnvelope(correlation_id);
}

function known({ details }: Pick<ErrorEnvelope, 'details'>): Readonly<Record<string, unknown>> {
  const fields = offendingFields({ details });
  if (Array.isArray(details) || details === undefined) return fields.length === 0 ? {} : { fields };
  return details;
}
