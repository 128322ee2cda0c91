/**
 * `inferTask`: one inference task, from admission to its end. The API starts it eagerly once a node has taken the offer;
 * its first step confirms the run there, then it only follows: tokens never pass through here. It ends completed, or
 * failed with the error code as its type, or cancelled; the search attributes and the memo `outcome` tell operators and
 * the API what happened after the node has forgotten the run.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  TimeoutFailure,
  upsertMemo,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { ErrorEnvelope } from '../contracts/errors.js';
import type {
  Destination,
  FollowRunInput,
  InferTaskInput,
  MovedTask,
  RunView,
  TaskOutcome,
} from '../contracts/node.js';
import { POOL_DRAINED } from '../domain/drain.js';
import { RUN_LOST } from '../domain/fence.js';
import type { TaskState } from '../domain/task.js';
import {
  attachRun,
  cancelRun,
  findPlace,
  followOn,
  keepTranscript,
  moveTask,
} from './parts/run-activities.js';
import {
  EndedAt,
  FirstTokenAt,
  NodeId,
  PoolId,
  StopReason,
  TaskState as TaskStateKey,
  TokensOut,
} from './search-attributes.js';

/** A task that has been lost with so many nodes is not given to another. */
const MOVES_LIMIT = 5;

/** Runs one task; see the module. */
export async function inferTask(input: InferTaskInput): Promise<TaskOutcome> {
  const { view, place, cancellation } = await followWherever(input);
  const outcome = settle(view);
  await keep(place);
  if (cancellation !== undefined) throw cancellation;
  if (view.state === 'completed') return outcome;
  throw failure(view.state, view.error);
}

/** How a run ended; with a cancellation where that is what ended it. */
interface End {
  view: RunView;
  cancellation?: Error;
}

/**
 * Follows the task from place to place, each in another epoch: a node that is lost gives it up, and a pool that is drained lets
 * go what waits there, where another serves it (B-DRAIN-015).
 */
async function followWherever(input: InferTaskInput): Promise<End & { place: InferTaskInput }> {
  let place = input;
  let may_leave = true;
  for (let moves = 0; ; moves++) {
    try {
      return { ...(await follow({ ...place, may_leave: may_leave && moves < MOVES_LIMIT })), place };
    } catch (err) {
      const moved = isLeftBehind(err) ? await leave(place) : await moveLost(place, err, moves);
      may_leave = moved !== null;
      if (moved === null) continue;
      if (moved.kind === 'ended') return { view: moved.run, place };
      place = { ...place, node_id: moved.node_id, pool_id: moved.pool_id, epoch: moved.epoch };
      tellPlace(place);
    }
  }
}

/** Out of a drained pool; null where the task stays, until its deadline or until the pool is back. */
async function leave(place: InferTaskInput): Promise<MovedTask | null> {
  const to = await placeBeside(place);
  if (to === null) return null;
  try {
    return await CancellationScope.nonCancellable(() => moveTask({ ...place, to }));
  } catch (err) {
    // It may have stopped where it was, and nobody has said that it goes on elsewhere.
    return move(place, new LostNodeError(err));
  }
}

async function placeBeside(place: InferTaskInput): Promise<Destination | null> {
  try {
    return await CancellationScope.nonCancellable(() => findPlace(place));
  } catch (err) {
    log.warn('nobody can say where the task could go', { event: 'task_stays', task_id: place.task_id, err });
    return null;
  }
}

/** @throws the failure of the task where its node is not lost, or was lost too often */
async function moveLost(place: InferTaskInput, err: unknown, moves: number): Promise<MovedTask> {
  const isOver = !(err instanceof LostNodeError) || moves >= MOVES_LIMIT || !patched('lost-tasks-move');
  if (isOver) throw await refused(place, err instanceof LostNodeError ? err.cause : err);
  return move(place, err);
}

/** @throws the failure of the task where no other node takes it */
async function move(place: InferTaskInput, lost: LostNodeError): Promise<MovedTask> {
  try {
    // A cancel reaches the task where it is then.
    return await CancellationScope.nonCancellable(() => moveTask(place));
  } catch (err) {
    log.warn('no other node takes the task', { event: 'task_not_moved', task_id: place.task_id, err });
    throw await refused(place, lost.cause);
  }
}

/** On record before anybody looks there (design §2.7). */
function tellPlace({ task_id, node_id, pool_id, epoch }: InferTaskInput): void {
  upsertSearchAttributes([
    { key: NodeId, value: node_id },
    { key: PoolId, value: pool_id },
  ]);
  upsertMemo({ node_id, pool_id });
  log.warn('the task goes on elsewhere', { event: 'task_moved', task_id, node_id, pool_id, epoch });
}

async function follow({ may_leave, ...input }: FollowRunInput): Promise<End> {
  try {
    const view = await followShortly(input);
    return { view: view?.ended === true ? view : await followLong({ ...input, may_leave }, view) };
  } catch (err) {
    if (isLost(err)) throw new LostNodeError(err);
    if (!(err instanceof Error) || !isCancellation(err)) throw err;
    const view = await CancellationScope.nonCancellable(() => cancelRun(input));
    // One that had ended before the cancel came: its clients have seen that end, so the record says the same.
    return view.state === 'cancelled' ? { view, cancellation: err } : { view };
  }
}

/**
 * Keeps the transcript, whatever the end was (B-DP-140, B-DP-148). Everybody has been answered by now: a database that is
 * away keeps the workflow open and nobody waiting.
 */
async function keep(input: InferTaskInput, failure?: ErrorEnvelope): Promise<void> {
  if (!patched('transcript-is-kept')) return; // 2026-11-21; may go a week after every API has it.
  const { node_id, task_id } = input;
  const order = { node_id, task_id, ...(failure === undefined ? {} : { failure }) };
  try {
    await CancellationScope.nonCancellable(() => keepTranscript(order));
  } catch (err) {
    log.warn('a transcript could not be kept', { event: 'transcript_lost', task_id, err });
  }
}

/** The first moments of the run, without another workflow task; undefined when the node does not answer now. */
async function followShortly(input: InferTaskInput): Promise<RunView | undefined> {
  try {
    return await attachRun(input);
  } catch (err) {
    if (isCancellation(err) || isFinal(err)) throw err;
    return undefined;
  }
}

function followLong(input: FollowRunInput, view: RunView | undefined): Promise<RunView> {
  const state = view?.state ?? 'queued';
  upsertSearchAttributes([{ key: TaskStateKey, value: state }]);
  setCurrentDetails(`following the run on ${input.node_id}, which is ${state}`);
  log.info('following a task', {
    event: 'task_followed',
    task_id: input.task_id,
    node_id: input.node_id,
    state,
  });
  return followOn({ ...input, is_known: view !== undefined });
}

/** Puts the outcome where operators search and where the API looks later. */
function settle(view: RunView): TaskOutcome {
  const outcome: TaskOutcome = {
    state: view.state,
    node_id: view.node_id,
    replica_id: view.replica_id,
    engine_version: view.engine_version,
    tokens_in: view.tokens_in,
    tokens_out: view.tokens_out,
    started_at_ms: view.started_at_ms,
    first_token_at_ms: view.first_token_at_ms,
    ended_at_ms: view.ended_at_ms,
    stop_reason: view.stop_reason,
    error: view.error,
  };
  upsertSearchAttributes([
    { key: TaskStateKey, value: view.state },
    { key: TokensOut, value: view.tokens_out },
    { key: StopReason, value: view.stop_reason },
    { key: FirstTokenAt, value: dateOf(view.first_token_at_ms) },
    { key: EndedAt, value: dateOf(view.ended_at_ms) },
  ]);
  upsertMemo({ outcome });
  const { state, node_id, tokens_out, stop_reason } = outcome;
  const code = outcome.error?.code;
  log.info('task settled', {
    event: 'task_settled',
    task_id: view.task_id,
    state,
    node_id,
    tokens_out,
    stop_reason,
    code,
  });
  return outcome;
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

/** No worker of the node has taken the run up for as long as two fences take, or the node has lost what it had of it. */
function isLost(err: unknown): boolean {
  if (!(err instanceof ActivityFailure)) return false;
  const { cause } = err;
  if (cause instanceof TimeoutFailure) return cause.timeoutType === 'SCHEDULE_TO_START';
  return cause instanceof ApplicationFailure && cause.type === RUN_LOST;
}

/** The task waits in a pool that was drained. */
function isLeftBehind(err: unknown): boolean {
  return err instanceof ActivityFailure && activityCause(err)?.type === POOL_DRAINED;
}

/** The node of the task is lost, as its cause tells. */
class LostNodeError extends Error {
  constructor(override readonly cause: unknown) {
    super('the node of the task is lost');
  }
}

/** True for what no other try can mend: a withdrawn offer, another body, a bad request. */
function isFinal(err: unknown): boolean {
  return activityCause(err)?.nonRetryable === true;
}

/** What an activity raised; a local activity's failure comes bare, an ordinary one's in its wrapper. */
function activityCause(err: unknown): ApplicationFailure | undefined {
  const cause = err instanceof ActivityFailure ? err.cause : err;
  return cause instanceof ApplicationFailure ? cause : undefined;
}

function failure(state: TaskState, error: ErrorEnvelope | null): ApplicationFailure {
  return ApplicationFailure.create({
    message: error?.message ?? `the task is ${state}`,
    type: error?.code ?? 'INTERNAL',
    nonRetryable: true,
    details: error === null ? [] : [error],
  });
}

/** The run could not be followed at all: its node refused the task for good, or is gone. */
async function refused(input: InferTaskInput, err: unknown): Promise<ApplicationFailure> {
  const code = (isFinal(err) && !isLost(err) ? activityCause(err)?.type : undefined) ?? 'WORKER_RESET';
  upsertSearchAttributes([{ key: TaskStateKey, value: code === 'OFFER_WITHDRAWN' ? 'rejected' : 'failed' }]);
  const message = code === 'WORKER_RESET' ? 'the node of the task is gone' : 'the node refused the task';
  if (code === 'WORKER_RESET') {
    await keep(input, { code, message, retriable: true, correlation_id: input.correlation_id });
  }
  return ApplicationFailure.create({
    message,
    type: code,
    nonRetryable: true,
    cause: err instanceof Error ? err : undefined,
  });
}
