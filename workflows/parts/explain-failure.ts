/** What a failed step of a pool's workflow means: one type and one line, whatever shape the failure came in. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { isPoolFailure, type PoolFailureType } from '../../domain/pool-failure.js';

/** What an operation fails as, when nothing knows better. */
export type OperationFailure = 'PRELOAD_FAILED' | 'DRAIN_FAILED' | 'RELOAD_FAILED' | 'PURGE_FAILED';

/** The failure in words. */
export interface Explanation {
  type: PoolFailureType | OperationFailure;
  message: string;
  /** The type that was reported, where it is none of a pool's: a download's code, say. */
  cause_code?: string;
}

/** Where it happened. */
export interface FailedStep {
  node_id: string;
  step: string;
  pool_id: string;
  otherwise: OperationFailure;
}

/** Explains a failed activity by the failure that it reported last, else by the timeout that ended it. */
export function explainFailure(err: unknown, where: FailedStep): Explanation {
  const causes = causesOf(err);
  const reported = causes.find((cause) => cause instanceof ApplicationFailure);
  if (reported !== undefined) {
    const type = reported.type ?? '';
    const known = isPoolFailure(type);
    const { message } = reported;
    return known ? { type, message } : { type: where.otherwise, message, cause_code: type };
  }
  const timeout = causes.find((cause) => cause instanceof TimeoutFailure);
  if (timeout !== undefined) return explainTimeout(timeout, where);
  return { type: where.otherwise, message: err instanceof Error ? err.message : String(err) };
}

function explainTimeout(
  { timeoutType }: TimeoutFailure,
  { node_id, step, pool_id, otherwise }: FailedStep,
): Explanation {
  if (timeoutType === 'SCHEDULE_TO_START') {
    const message = `node ${node_id} is not there: it did not take the step "${step}" of pool ${pool_id} in time`;
    return { type: 'POOL_UNAVAILABLE', message };
  }
  if (step === 'health') {
    return {
      type: 'HealthTimeout',
      message: `health check failed: no poll of pool ${pool_id} came to an end`,
    };
  }
  return { type: otherwise, message: `the step "${step}" of pool ${pool_id} did not end in time` };
}

function causesOf(err: unknown): Error[] {
  const causes: Error[] = [];
  for (let at = err; at instanceof Error && !causes.includes(at); at = at.cause) {
    if (!(at instanceof ActivityFailure)) causes.push(at);
  }
  return causes;
}
