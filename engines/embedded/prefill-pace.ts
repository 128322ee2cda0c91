/**
 * How many tokens of a prompt are computed at a time.
 *
 * A computation that has begun cannot be interrupted, and other streams wait for it. So a long prompt is cut into
 * chunks of about a tenth of a second: that is how late a client's leaving may be noticed, on a slow machine too.
 */

/** Long enough to use the processor well, short enough not to be felt as a pause by the other streams. */
const CHUNK_MS = 100;
/** Before anything is known about the machine. A few seconds on the slowest that is of any use. */
const FIRST_CHUNK = 32;
/** llama.cpp computes this many at a time itself; more gains nothing. */
const LARGEST_CHUNK = 512;

/** Learns the pace from the chunks that were computed. */
export class PrefillPace {
  #chunk = FIRST_CHUNK;

  /** Tokens for the next chunk. */
  get chunk(): number {
    return this.#chunk;
  }

  /** Takes note of a chunk. Grows by at most twice, because a small chunk says little. */
  note(tokens: number, elapsedMs: number): void {
    if (tokens < FIRST_CHUNK) return;
    const fitting = Math.floor((tokens / Math.max(elapsedMs, 1)) * CHUNK_MS);
    this.#chunk = Math.min(LARGEST_CHUNK, 2 * tokens, Math.max(FIRST_CHUNK, fitting));
  }
}
