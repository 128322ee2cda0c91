/** Waiting for running tasks until a deadline, which may come nearer meanwhile. */
import { CancellationScope, condition } from '@temporalio/workflow';

/** Resolves with true when `wait` is over, with false when the deadline is; a wait that goes on is then cancelled. */
export async function endsInTime(wait: () => Promise<void>, deadlineAtMs: () => number): Promise<boolean> {
  const waiting = new CancellationScope();
  let ended = false;
  const over = waiting.run(async () => {
    await wait();
    ended = true;
  });
  const deadline = deadlinePasses(deadlineAtMs, () => ended);
  try {
    await Promise.race([over, deadline]);
    return ended;
  } finally {
    waiting.cancel();
    // Whichever came first has spoken; the other one's cancellation is no news.
    void Promise.allSettled([over, deadline]);
  }
}

async function deadlinePasses(deadlineAtMs: () => number, ended: () => boolean): Promise<void> {
  while (!ended() && Date.now() < deadlineAtMs()) {
    const until = deadlineAtMs();
    await condition(() => ended() || deadlineAtMs() < until, until - Date.now());
  }
}
