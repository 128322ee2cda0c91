/** How a run ends when it does not complete: state, code and words by who asked and how far it had come (data-plane 4, 5). */
import { DroverError, type ErrorEnvelope } from '../../contracts/errors.js';
import { asTaskError } from '../../contracts/task-errors.js';
import type { FullQueuePolicy } from './displacement.js';
import type { Run, RunEnd } from './run.js';

/** A queue that was full a second ago may have room now. */
const RETRY_AFTER_MS = 1_000;

/** How far a run had come (B-DP-187). */
type Stage = 'queue' | 'startup' | 'execution';

/** The end of a run that somebody, its deadline or the watchdog called off. */
export function cancelledEnd(run: Run, nowMs: number): RunEnd {
  const reason = run.cancelReason ?? 'admin';
  if (reason !== 'deadline' && reason !== 'watchdog') {
    const error = envelopeOf(run, new DroverError('CANCELLED', 'the task was cancelled'));
    return { state: 'cancelled', stopReason: 'CANCELLED', error };
  }
  const stage = stageOf(run);
  const error = envelopeOf(
    run,
    new DroverError(
      stage === 'queue' ? 'DEADLINE_UNMET' : 'DECODE_TIMEOUT',
      timeoutInWords(run, reason, stage, nowMs),
    ),
  );
  return { state: stage === 'queue' ? 'expired' : 'failed', stopReason: 'ERROR', error };
}

function stageOf({ startedAtMs, firstTokenAtMs }: Run): Stage {
  if (startedAtMs === null) return 'queue';
  return firstTokenAtMs === null ? 'startup' : 'execution';
}

/** A deadline counts from admission, the watchdog's limit from the first slot. */
function timeoutInWords(run: Run, reason: 'deadline' | 'watchdog', stage: Stage, nowMs: number): string {
  const doing = stage === 'queue' ? 'waited' : 'ran';
  const [what, limitMs, sinceMs] =
    reason === 'deadline'
      ? ['deadline passed', run.offer.request.deadline_ms, run.admittedAtMs]
      : ['limit of its execution passed', run.wallMs ?? 0, run.startedAtMs ?? run.admittedAtMs];
  return `the ${what} while the task ${doing} (stage ${stage}, ${nowMs - sinceMs} ms of ${limitMs} ms)`;
}

/** A waiting task made room for another (B-DP-067); its client may come again. */
export function droppedEnd(run: Run, policy_label: FullQueuePolicy): RunEnd {
  const extras = { retry_after_ms: RETRY_AFTER_MS, policy_label };
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
  return { state: 'failed', stopReason: 'ERROR', error: envelopeOf(run, asTaskError(known)) };
}

/** The end that the last frame tells, for a run whose worker died before it wrote the end record. */
export function streamedEnd(run: Run, nowMs: number): RunEnd {
  const last = run.lastFrame;
  if (last?.type === 'end') return { state: 'completed', stopReason: last.data.stop_reason, error: null };
  if (run.cancelReason !== null) return cancelledEnd(run, nowMs);
  return { state: 'failed', stopReason: 'ERROR', error: last?.type === 'error' ? last.data : null };
}

function envelopeOf(run: Run, error: DroverError): ErrorEnvelope {
  const { pool_id, request, correlation_id } = run.offer;
  return { ...error.toEnvelope(correlation_id), pool_id, engine: request.engine };
}
