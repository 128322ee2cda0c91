/** What every scenario of the bench is given, and what it gives back. */
import type { BenchPool } from './stack/bench-pools.js';
import type { ModelOrigin } from './stack/model-origin.js';
import type { Drover } from './stack/start-drover.js';
import type { Report } from './report/report.js';

/** Drover with the bench's pool loaded, and how thorough to be. */
export interface Bench {
  drover: Drover;
  /** Many slots: nothing waits in a queue. */
  pool: BenchPool;
  /** Another installation in an empty state folder; the one before is stopped, with its pools. For the last scenario. */
  fresh: () => Promise<Drover>;
  /** Where models are fetched from, and where they come to stand. */
  origin: ModelOrigin;
  modelDir: string;
  /** A smoke check: a few samples, the same ways. */
  quick: boolean;
  say: (line: string) => void;
}

/** A scenario. */
export interface Scenario {
  name: string;
  /** @throws Error when something was wrong: a text, a lost task, a start that was not eager. Never for being slow. */
  run: (bench: Bench) => Promise<Report>;
}
