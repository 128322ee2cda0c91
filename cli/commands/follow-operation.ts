/** An operation on a pool, followed step by step to its end. */
import { z } from 'zod';
import { layersLoaded } from '../../contracts/loading.js';
import { operation, poolEvents, type Operation } from '../../contracts/operation.js';
import { operationAccepted } from '../../contracts/pool.js';
import { CliError } from '../client/cli-error.js';
import type { Taken } from '../client/follow.js';
import type { StreamEvent } from '../client/event-stream.js';
import { dataOf } from '../client/task-reader.js';
import { layersLine } from '../output/progress-line.js';
import type { Session } from '../session.js';
import { followProgress } from './follow-progress.js';
import { callAs, readAs } from './read-as.js';

/** What is asked of a pool. */
export interface OperationAsk {
  pool: string;
  verb: 'preload' | 'drain' | 'reload' | 'purge';
  body: Record<string, unknown>;
  /** True where nobody waits for the end. */
  detach: boolean;
}

/** What of a pool's status is told; the rest is `drover ps`'s. */
const statusOfLoading = z.object({ loading: layersLoaded.optional() });
const answer = z.union([operationAccepted, z.record(z.string(), z.unknown())]);

/**
 * Starts an operation and, unless it is left alone, tells of its steps until its end.
 * @returns what it answers; while it goes on, under which id
 * @throws CliError PROGRESS_STREAM_*, or the reason why it failed
 */
export async function operate(
  session: Session,
  { pool, verb, body, detach }: OperationAsk,
): Promise<unknown> {
  const path = `/v2/pools/${encodeURIComponent(pool)}/${verb}`;
  const told = await callAs(session, { method: 'POST', path, body: { ...body, wait_ms: 0 } }, answer);
  const accepted = operationAccepted.safeParse(told);
  if (!accepted.success || detach) return told;
  const { operation_id } = accepted.data;
  const { run_id } = await readAs(session, `/v2/operations/${encodeURIComponent(operation_id)}`, operation);
  return outcomeOf(await followRun(session, pool, run_id));
}

async function followRun(session: Session, pool: string, runId: string): Promise<Operation> {
  let ended: Operation | undefined;
  await followProgress(session, {
    kind: 'PROGRESS_STREAM',
    path: `/v2/pools/${encodeURIComponent(pool)}/events`,
    take: (event) => {
      ended = endOf(event, runId);
      return ended === undefined ? takeStep(session, event, runId) : 'last';
    },
  });
  if (ended === undefined) throw new TypeError('a stream that was followed to its last event has an end');
  return ended;
}

function endOf(event: StreamEvent, runId: string): Operation | undefined {
  if (event.event !== 'end') return undefined;
  const ended = dataOf(event, poolEvents.end);
  return ended.run_id === runId ? ended : undefined;
}

function takeStep({ out }: Session, event: StreamEvent, runId: string): Taken {
  if (event.event === 'status') {
    const { loading } = dataOf(event, statusOfLoading);
    if (loading !== undefined) out.progress(out.json ? JSON.stringify({ loading }) : layersLine(loading));
    return 'new';
  }
  if (event.event !== 'step') return 'nothing';
  out.endProgress();
  const { run_id, step, doing } = dataOf(event, poolEvents.step);
  if (run_id === runId) out.note(out.json ? JSON.stringify({ step, doing }) : doing);
  return 'new';
}

function outcomeOf({ status, error, outcome, operation_id }: Operation): unknown {
  if (status === 'completed') return outcome ?? {};
  const details = { operation_id, expected: 'completed', actual: status };
  if (error !== null) throw new CliError(error.code, error.message, { details });
  throw CliError.of('OPERATION_FAILED', `the operation was ${status}`, { details });
}
