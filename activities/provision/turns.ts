/** One at a time at the same thing, in the order in which they came; who is called off waits no longer. */

/** Runs `work` when nobody else is at `key`. */
export type TakeTurn = <T>(key: string, signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

/** Turns of one worker. */
export function createTurns(): TakeTurn {
  const turns = new Map<string, Promise<unknown>>();
  return async (key, signal, work) => {
    const before = turns.get(key) ?? Promise.resolve();
    let leave = (): void => undefined;
    const mine = Promise.all([before, new Promise<void>((resolve) => (leave = resolve))]);
    turns.set(key, mine);
    try {
      await Promise.race([before, calledOff(signal)]);
      signal.throwIfAborted();
      return await work();
    } finally {
      leave();
      if (turns.get(key) === mine) void mine.then(() => turns.get(key) === mine && turns.delete(key));
    }
  };
}

function calledOff(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
