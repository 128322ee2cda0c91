/** Follows a long run from the node itself: the heartbeat tells Temporal that somebody watches, and brings a cancel. */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { FollowRunInput, InferTaskInput, RunView } from '../contracts/node.js';
import { POOL_DRAINED, sendsAway } from '../domain/drain.js';
import { RUN_LOST } from '../domain/fence.js';
import type { NodeActivityDeps } from './deps.js';
import { shuttingDown, whyStopped } from './shutting-down.js';

/** A beat each two seconds; the SDK sends on at 80 % of the heartbeat timeout, which the workflow sets to 10 s. */
const BEAT_MS = 2_000;

/** Builds the activity `followRun`. */
export function followRunActivity({
  runs,
  pools,
  closing,
}: Pick<NodeActivityDeps, 'runs' | 'closing'> & { pools: Pick<NodeActivityDeps['pools'], 'status'> }) {
  /**
   * Waits for the end of a run, attaching it first: a restarted node, or one that never heard of it, takes it up again.
   * @throws ApplicationFailure {@link RUN_LOST} where the node had the run and does not know it any more; {@link POOL_DRAINED} where it may leave and
   * its pool is drained; retryable when this worker shuts down; the next one follows on.
   */
  return async function followRun({ is_known, may_leave, ...input }: FollowRunInput): Promise<RunView> {
    const context = Context.current();
    if (is_known === true && runs.view(input.task_id) === undefined) {
      throw ApplicationFailure.nonRetryable('the node has lost the run', RUN_LOST);
    }
    let view = await runs.attach(input);
    while (!view.ended) {
      context.heartbeat({ tokens_out: view.tokens_out, state: view.state });
      if (context.cancellationSignal.aborted) return stopFollowing(input, context);
      // A worker that ends lets go of its runs, and nobody would end the wait for one of them.
      if (closing.aborted) throw shuttingDown();
      if (may_leave === true && isLeftBehind(view)) throw poolDrained();
      const beat = nextBeat([context.cancellationSignal, closing]);
      view = await runs.waitForEnd(input.task_id, beat.signal).finally(beat.done);
    }
    return view;
  };

  /** Waits, and nothing of it was ever begun, where nobody will soon give it a slot. */
  function isLeftBehind({ pool_id, queue_position, started_at_ms }: RunView): boolean {
    const state = pools.status(pool_id)?.state;
    return queue_position !== null && started_at_ms === null && state !== undefined && sendsAway(state);
  }

  /**
   * Only a cancel ends the run. A shutdown, a heartbeat that came too late, a workflow that is gone end the following
   * alone: the task was accepted, and its run needs no follower to go on.
   */
  async function stopFollowing(input: InferTaskInput, context: Context): Promise<never> {
    const reason: unknown = context.cancellationSignal.reason;
    const isCancel = reason instanceof CancelledFailure && reason.message === 'CANCELLED';
    if (isCancel) await runs.cancel(input.task_id, 'client');
    throw whyStopped(reason);
  }
}

/** Nothing is wrong: the workflow is asked to look for another pool. */
function poolDrained(): ApplicationFailure {
  return ApplicationFailure.create({
    message: 'the pool in which the task waits is drained',
    type: POOL_DRAINED,
    nonRetryable: true,
    category: ApplicationFailureCategory.BENIGN,
  });
}

/**
 * Aborts after a beat, or with the first of these. Not `AbortSignal.any` over `AbortSignal.timeout`: nothing holds the latter,
 * and one that is collected never fires.
 */
function nextBeat(signals: readonly AbortSignal[]): { signal: AbortSignal; done: () => void } {
  const beat = new AbortController();
  const end = (): void => beat.abort();
  const timer = setTimeout(end, BEAT_MS);
  for (const signal of signals) signal.addEventListener('abort', end);
  if (signals.some(({ aborted }) => aborted)) end();
  const done = (): void => {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', end);
  };
  return { signal: beat.signal, done };
}
