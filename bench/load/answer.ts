/** One task's answer as its reader had it: every token checked, and how long each was on its way. */
import { nowMs, tokensIn } from '../engine/words.js';

/** When a token was said and when it was here. */
export interface Arrival {
  saidMs: number;
  hereMs: number;
}

/** A reader's record of one task. */
export class Answer {
  readonly beganMs = nowMs();
  readonly arrivals: Arrival[] = [];
  /** When the last frame was here. */
  endedMs = 0;
  /** Id of the task at Drover; empty for the engine's own. */
  taskId = '';

  constructor(
    readonly task: number,
    /** The most that there may be; fewer only when the engine was told to end. */
    private readonly most: number,
    private readonly onFirst: () => void = () => undefined,
  ) {}

  /** Takes text as it came. @throws Error for another task's token, one too many, one missing, one twice */
  take(text: string): void {
    const hereMs = nowMs();
    if (this.arrivals.length === 0) this.onFirst();
    for (const { task, index, atMs } of tokensIn(text)) {
      if (task !== this.task || index !== this.arrivals.length) {
        throw new Error(
          `task ${this.task} got token ${index} of ${task}, not ${this.arrivals.length} of its own`,
        );
      }
      this.arrivals.push({ saidMs: atMs, hereMs });
    }
  }

  /**
   * The stream's last frame came.
   * @param said - how many tokens it counts
   * @throws Error when tokens are missing
   */
  end(said = this.most): void {
    this.endedMs = nowMs();
    if (this.arrivals.length === said && said <= this.most) return;
    throw new Error(`task ${this.task} ended after ${this.arrivals.length} of ${said} tokens`);
  }

  /** From the request to the first token. */
  get firstTokenMs(): number {
    return (this.arrivals[0]?.hereMs ?? Number.NaN) - this.beganMs;
  }

  /** From the request to the moment at which the engine said the first token. */
  get firstSaidMs(): number {
    return (this.arrivals[0]?.saidMs ?? Number.NaN) - this.beganMs;
  }

  /** The longest time between two tokens at the reader. */
  get longestGapMs(): number {
    const gaps = this.arrivals
      .slice(1)
      .map(({ hereMs }, at) => hereMs - (this.arrivals[at]?.hereMs ?? hereMs));
    return Math.max(0, ...gaps);
  }

  /** From the request to the last frame. */
  get wholeMs(): number {
    return this.endedMs - this.beganMs;
  }
}
