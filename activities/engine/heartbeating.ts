/** Keeps Temporal told that a long step goes on, which is also how a cancel reaches it. */
import { Context } from '@temporalio/activity';

/** The SDK sends a beat on at 80 % of the heartbeat timeout, which our workflows set to 10 s. */
const BEAT_MS = 2_000;

/** Runs `work` with a heartbeat; its signal aborts when the activity is cancelled or its worker shuts down. */
export async function heartbeating<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), BEAT_MS);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}
