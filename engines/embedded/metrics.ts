/** Counts for `GET /metrics`, under llama-server's names, so that one scraper and one dashboard serve both engines. */
import type { SlotPool } from './slots.js';

/** What a finished (or abandoned) generation adds. */
export interface GenerationCounts {
  /** Prompt tokens computed, not those found in memory. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly promptMs: number;
  readonly predictedTokens: number;
  readonly predictedMs: number;
}

/** The engine's counters. */
export class EngineMetrics {
  #promptTokens = 0;
  #cachedTokens = 0;
  #promptMs = 0;
  #predictedTokens = 0;
  #predictedMs = 0;
  #longest = 0;
  #decodes = 0;
  #busyAtDecode = 0;

  /** Adds a generation, whatever its end. */
  note(counts: GenerationCounts): void {
    this.#promptTokens += counts.promptTokens;
    this.#cachedTokens += counts.cachedTokens;
    this.#promptMs += counts.promptMs;
    this.#predictedTokens += counts.predictedTokens;
    this.#predictedMs += counts.predictedMs;
    this.#longest = Math.max(
      this.#longest,
      counts.promptTokens + counts.cachedTokens + counts.predictedTokens,
    );
  }

  /** Adds one token's computation, while so many slots were busy. */
  noteDecode(busySlots: number): void {
    this.#decodes++;
    this.#busyAtDecode += busySlots;
  }

  /** The text in Prometheus' format. */
  render({ busy, waiting }: SlotPool): string {
    const rate = (tokens: number, ms: number): number => (ms === 0 ? 0 : (tokens / ms) * 1000);
    const counter = 'counter';
    const gauge = 'gauge';
    const rows: readonly (readonly [string, string, number, string])[] = [
      [
        'prompt_tokens_total',
        counter,
        this.#promptTokens,
        'Number of prompt tokens processed, excluding cached tokens',
      ],
      [
        'prompt_tokens_cached_total',
        counter,
        this.#cachedTokens,
        'Number of prompt tokens reused from the cache',
      ],
      ['prompt_seconds_total', counter, this.#promptMs / 1000, 'Total time spent processing prompts'],
      ['tokens_predicted_total', counter, this.#predictedTokens, 'Number of generation tokens processed'],
      [
        'tokens_predicted_seconds_total',
        counter,
        this.#predictedMs / 1000,
        'Total time spent generating tokens',
      ],
      ['n_decode_total', counter, this.#decodes, 'Total number of decoded tokens'],
      ['n_tokens_max', counter, this.#longest, 'Largest observed sequence length (prompt + generation)'],
      [
        'prompt_tokens_seconds',
        gauge,
        rate(this.#promptTokens, this.#promptMs),
        'Average prompt throughput in tokens/s',
      ],
      [
        'predicted_tokens_seconds',
        gauge,
        rate(this.#predictedTokens, this.#predictedMs),
        'Average generation throughput in tokens/s',
      ],
      ['requests_processing', gauge, busy, 'Number of requests processing'],
      ['requests_deferred', gauge, waiting, 'Number of requests deferred'],
      [
        'n_busy_slots_per_decode',
        gauge,
        this.#decodes === 0 ? 0 : this.#busyAtDecode / this.#decodes,
        'Average number of busy slots per decoded token',
      ],
    ];
    return rows
      .map(([name, type, value, help]) => {
        const metric = `llamacpp:${name}`;
        return `# HELP ${metric} ${help}\n# TYPE ${metric} ${type}\n${metric} ${value}\n`;
      })
      .join('');
  }
}
