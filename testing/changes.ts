/** Waiting for something that others make happen: told of every change, bounded by a deadline, never a sleep. */
import { setTimeout as delay } from 'node:timers/promises';

/** What a wait that was in vain says. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Longest wait where a test names none: what takes a second alone may take many on two busy cores. */
export const PATIENCE_MS = 30_000;

/** Between two looks at something that cannot tell of its changes. */
const LOOK_EVERY_MS = 25;

/** Tells those who wait that they should look again. */
export class Changes {
  private readonly lookers = new Set<() => void>();

  /** Something has changed. */
  notify(): void {
    for (const look of [...this.lookers]) look();
  }

  /**
   * Waits until `probe` finds something.
   * @param what - what is waited for, in words; called for the error, so that it can say how far things had come
   * @throws DeadlineError after `withinMs`; whatever `probe` throws
   */
  until<T>(what: () => string, probe: () => T | undefined, withinMs = PATIENCE_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.lookers.delete(look);
        finish();
      };
      const look = (): void => {
        try {
          const found = probe();
          if (found !== undefined) settle(() => resolve(found));
        } catch (err) {
          settle(() => reject(err instanceof Error ? err : new Error(String(err))));
        }
      };
      const timer = setTimeout(
        () => settle(() => reject(new DeadlineError(`waited ${withinMs} ms for ${what()}`))),
        withinMs,
      );
      this.lookers.add(look);
      look();
    });
  }
}

/**
 * Asks again and again until there is an answer.
 * @param what - what is waited for, in words
 * @param probe - undefined: not yet; an error ends the wait
 * @throws DeadlineError after `withinMs`
 */
export async function eventually<T>(
  what: () => string,
  probe: () => Promise<T | undefined> | T | undefined,
  withinMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new DeadlineError(`waited ${withinMs} ms for ${what()}`);
    await delay(LOOK_EVERY_MS);
  }
}
