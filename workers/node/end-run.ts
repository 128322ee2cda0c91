/** How a run ends when it does not complete: state, code and words by who asked and how far it had come (data-plane 4, 5). */
import { DroverError, type ErrorCode, type ErrorEnvelope } from '../../contracts/errors.js';
import type { CancelReason, TaskState } from '../../domain/task.js';
import type { Run, RunEnd } from './run.js';

/** A queue that was full a second ago may have room now. */
const RETRY_AFTER_MS = 1_000;

interface Ending {
  state: TaskState;
  code: ErrorCode;
  message: string;
}

const CANCELLED: Ending = { state: 'cancelled', code: 'CANCELLED', message: 'the task was cancelled' };
const EXPIRED: Ending = {
  state: 'expired',
  code: 'DEADLINE_UNMET',
  message: 'the deadline passed while the task waited (stage queue)',
};
const TIMED_OUT: Ending = {
  state: 'failed',
  code: 'DECODE_TIMEOUT',
  message: 'the deadline passed while the task ran (stage execution)',
};

const ENDINGS: Record<CancelReason, { waiting: Ending; running: Ending }> = {
  client: { waiting: CANCELLED, running: CANCELLED },
  disconnect: { waiting: CANCELLED, running: CANCELLED },
  admin: { waiting: CANCELLED, running: CANCELLED },
  deadline: { waiting: EXPIRED, running: TIMED_OUT },
  watchdog: { waiting: EXPIRED, running: TIMED_OUT },
};

/** The end of a run that somebody, or its deadline, called off. */
export function cancelledEnd(run: Run): RunEnd {
  const { waiting, running } = ENDINGS[run.cancelReason ?? 'admin'];
  const { state, code, message } = run.startedAtMs === null ? waiting : running;
  const stopReason = code === 'CANCELLED' ? 'CANCELLED' : 'ERROR';
  return { state, stopReason, error: envelopeOf(run, new DroverError(code, message)) };
}

/** A waiting task made room for another (B-DP-067); its client may come again. */
export function droppedEnd(run: Run): RunEnd {
  const extras = { retry_after_ms: RETRY_AFTER_MS, policy_label: 'drop-lru' };
  const error = new DroverError(
    'QUEUE_FULL_DROP_LRU',
    'a newer task took the place in the full queue',
    extras,
  );
  return { state: 'dropped', stopReason: 'ERROR', error: envelopeOf(run, error) };
}

/** The end of a run that failed; what is not ours to say becomes INTERNAL, and the log has the cause. */
export function failedEnd(run: Run, err: unknown): RunEnd {
  const known =
    err instanceof DroverError ? err : new DroverError('INTERNAL', 'the run failed', {}, { cause: err });
  return { state: 'failed', stopReason: 'ERROR', error: envelopeOf(run, known) };
}

/** The end that the last frame tells, for a run whose worker died before it wrote the end record. */
export function streamedEnd(run: Run): RunEnd {
  const last = run.lastFrame;
  if (last?.type === 'end') return { state: 'completed', stopReason: last.data.stop_reason, error: null };
  if (run.cancelReason !== null) return cancelledEnd(run);
  return { state: 'failed', stopReason: 'ERROR', error: last?.type === 'error' ? last.data : null };
}

function envelopeOf(run: Run, error: DroverError): ErrorEnvelope {
  const { pool_id, request, correlation_id } = run.offer;
  return { ...error.toEnvelope(correlation_id), pool_id, engine: request.engine };
}
