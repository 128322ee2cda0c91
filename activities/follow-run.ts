/** Follows a long run from the node itself: the heartbeat tells Temporal that somebody watches, and brings a cancel. */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { FollowRunInput, InferTaskInput, RunView } from '../contracts/node.js';
import { RUN_LOST } from '../domain/fence.js';
import type { NodeActivityDeps } from './deps.js';
import { shuttingDown, whyStopped } from './shutting-down.js';

/** A beat each two seconds; the SDK sends on at 80 % of the heartbeat timeout, which the workflow sets to 10 s. */
const BEAT_MS = 2_000;

/** Builds the activity `followRun`. */
export function followRunActivity({ runs, closing }: Pick<NodeActivityDeps, 'runs' | 'closing'>) {
  /**
   * Waits for the end of a run, attaching it first: a restarted node, or one that never heard of it, takes it up again.
   * @throws ApplicationFailure {@link RUN_LOST} where the node had the run and does not know it any more; retryable when this worker shuts down; the next one follows on.
   */
  return async function followRun({ is_known, ...input }: FollowRunInput): Promise<RunView> {
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
      const beat = nextBeat([context.cancellationSignal, closing]);
      view = await runs.waitForEnd(input.task_id, beat.signal).finally(beat.done);
    }
    return view;
  };

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
