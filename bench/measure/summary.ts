/** What many measurements come to. Every sample is kept: a few thousand numbers need no histogram. */

/** Quantiles by nearest rank. */
export interface Summary {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** Sums up samples. @throws Error without any, or when one is no number */
export function summarize(samples: Iterable<number>): Summary {
  const sorted = Float64Array.from(samples).sort();
  if (sorted.length === 0 || sorted.some(Number.isNaN)) throw new Error('there is nothing to sum up');
  const at = (quantile: number) => sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** The middle of a few measurements. */
export function median(samples: readonly number[]): number {
  return summarize(samples).p50;
}
