/** Measures a generation. */
import { performance } from 'node:perf_hooks';

/** Times of a generation. */
export interface Timings {
  /** Prompt tokens that were in the slot's memory. */
  readonly cachedTokens: number;
  /** Prompt tokens that were computed. */
  readonly promptTokens: number;
  /** From the slot to the first token. */
  readonly promptMs: number;
  /** From the first token on. */
  readonly predictedMs: number;
}

/** Until the first token it is the prompt's time, then the answer's. */
export class GenerationClock {
  /** Prompt tokens that need not be computed. */
  cachedTokens = 0;
  readonly #promptLength: number;
  readonly #startedAt = performance.now();
  #firstTokenAt: number | undefined;
  #lastTokenAt = this.#startedAt;
  #ticks = 0;

  constructor(promptLength: number) {
    this.#promptLength = promptLength;
  }

  /** Notes a token; returns how many there are. */
  tick(): number {
    this.#lastTokenAt = performance.now();
    this.#firstTokenAt ??= this.#lastTokenAt;
    return ++this.#ticks;
  }

  /** The times so far. */
  timings(): Timings {
    const firstTokenAt = this.#firstTokenAt ?? performance.now();
    return {
      cachedTokens: this.cachedTokens,
      promptTokens: this.#promptLength - this.cachedTokens,
      promptMs: firstTokenAt - this.#startedAt,
      predictedMs: Math.max(0, this.#lastTokenAt - firstTokenAt),
    };
  }
}
