/** How a long activity ends with its worker: to be tried again, so that the next worker goes on. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';

/** What an activity fails with when its worker ends; retryable. */
export function shuttingDown(): ApplicationFailure {
  return ApplicationFailure.retryable('the node worker is shutting down', 'WORKER_SHUTDOWN');
}

/** What to throw when the signal of an activity has aborted: a shutdown is no cancel. */
export function whyStopped(reason: unknown): unknown {
  const isShutdown = reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';
  return isShutdown ? shuttingDown() : reason;
}
