/** An operation on a pool as a client reads it: from what Temporal and the workflow itself say of the run. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import type { Operation, OperationStep } from '../../contracts/operation.js';
import { readPoolWorkflowId, type OperationKind } from '../../domain/identity.js';
import type { OperationOutcome } from './task-records.js';
import {
  DRAIN,
  outcomeOf,
  PRELOAD,
  PURGE,
  RELOAD,
  type Operation as OperationForm,
} from './workflow-forms.js';

const FORMS: Record<OperationKind, OperationForm<Record<string, unknown>>> = {
  preload: PRELOAD,
  drain: DRAIN,
  reload: RELOAD,
  purge: PURGE,
};

/** What is known of one run. */
export interface OperationRun {
  described: WorkflowExecutionDescription;
  steps: OperationStep[];
  /** How the run ended; undefined while it runs. */
  result: Promise<unknown> | undefined;
}

/** Words of Temporal that differ from ours; what it ended without asking the workflow counts as failed. */
export const STATUS: Partial<Record<string, Operation['status']>> = {
  RUNNING: 'running',
  COMPLETED: 'completed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
};

/** Puts a run into words. @throws RangeError where the id is no operation's; DroverError when its end cannot be read */
export async function readOperation({ described, steps, result }: OperationRun): Promise<Operation> {
  const { workflowId, runId, status, startTime, closeTime } = described;
  const names = readPoolWorkflowId(workflowId);
  if (names === undefined) throw new RangeError(`${workflowId} is no operation on a pool`);
  const ended = result === undefined ? undefined : await outcomeOf(result, FORMS[names.kind]);
  return {
    operation_id: workflowId,
    run_id: runId,
    kind: names.kind,
    pool_id: names.poolId,
    status: STATUS[status.name] ?? 'failed',
    started_at_ms: startTime.getTime(),
    ended_at_ms: closeTime?.getTime() ?? null,
    step: steps.at(-1)?.step ?? null,
    steps,
    waiting_for: pendingOf(described),
    ...endOf(ended),
  };
}

/** What the run waits for now. */
export function pendingOf({ raw }: WorkflowExecutionDescription): Operation['waiting_for'] {
  return (raw.pendingActivities ?? []).map(({ activityType, attempt, nextAttemptScheduleTime }) => ({
    activity: activityType?.name ?? '',
    attempt: attempt ?? 1,
    next_attempt_at_ms: optionalTsToMs(nextAttemptScheduleTime) ?? null,
  }));
}

function endOf(
  ended: OperationOutcome<Record<string, unknown>> | undefined,
): Pick<Operation, 'outcome' | 'error'> {
  if (ended?.kind === 'done') return { outcome: ended.result, error: null };
  if (ended?.kind === 'failed') {
    return { outcome: null, error: { code: ended.code, message: ended.message } };
  }
  return { outcome: null, error: null };
}
