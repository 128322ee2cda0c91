/** Time of one seed's run: starts when the first client does. */
import { setTimeout as delay } from 'node:timers/promises';

/** A stopwatch that can be waited on. */
export class Clock {
  private readonly startedAt = performance.now();

  /** Milliseconds since the start. */
  get nowMs(): number {
    return Math.round(performance.now() - this.startedAt);
  }

  /** Waits until that many milliseconds have passed; not at all when they have. */
  async reaches(atMs: number): Promise<void> {
    const left = atMs - (performance.now() - this.startedAt);
    if (left > 0) await delay(left);
  }
}
